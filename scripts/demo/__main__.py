"""Shows the whole life of a reservation, what happens to a repeated message and to bad ones, and what is left.

`./dev demo` starts the services and runs this; it exits with 0 only if all that it saw is as it should be.
"""

import datetime
import os
import pathlib
import signal
import sys
import time
import uuid

import broker
import screen
from harness.aws.cloud import DOMAIN, Cloud
from harness.broker import management
from harness.kubernetes.server import KubernetesServer
from harness.waiting import eventually
from program import EventsCommand, Program, Replica, base_environment
from tables import Tables

HOST = "alice-training"
JUPYTER_PORT = 30888
DEAD_QUEUE = "gpudev.disks.dead"
QUEUES = ("gpudev.disks", "gpudev.reservations", "gpudev.capacity")
HOME = {"user_id": "alice", "disk_name": "home"}
BUCKET = "disk-contents"
LISTING = "1.2G\t/home/dev\n---\n/home/dev/model.pt\n/home/dev/notes.txt\n"


class Demonstration:
    """The steps, in the order in which they are shown."""

    def __init__(self) -> None:
        directory = pathlib.Path(os.environ["GPUDEV_TEST_SERVICES_DIR"])
        self.program = Program(base_environment(), directory)
        self.cluster = KubernetesServer(directory)
        self.cluster.on_exec([["stdout", LISTING], ["exit", 0]])
        self.replicas: list[Replica] = []
        self.feed: EventsCommand | None = None
        self.jobs: dict[str, str] = {}
        self.failures = 0

    def prepare(self) -> None:
        screen.step("Bring the database to the current schema: gpudev-worker migrate")
        self.program.call("migrate")
        self.tables = Tables()
        screen.step("Declare exchanges and queues: gpudev-worker topology declare")
        self.program.call("topology", "declare")
        screen.step("Prepare AWS and Kubernetes as the platform has them: zone, load balancer, bucket, node, a volume")
        self.cloud = Cloud()
        self.cloud.create_bucket(BUCKET)
        self.scratch = self.cloud.create_volume("bob", "scratch")
        self.cluster.add_node("node-1", "t4", gpus=4, instance=self.cloud.instance)
        self.tables.add_gpu_type("t4", "g4dn.12xlarge", 4)
        self.program.keep_environment(
            self.cloud.settings() | self.cluster.settings() | {"DISK_CONTENTS_BUCKET": BUCKET})
        screen.fact(f"zone {self.cloud.zone}, instance {self.cloud.instance}, volume {self.scratch}")
        screen.step("Ask whether everything is in order: gpudev-worker doctor")
        for line in self.program.call("doctor").splitlines():
            screen.fact(line)

    def start_replicas(self) -> None:
        screen.step("Start two replicas of the worker, and follow the events: gpudev-worker events")
        self.feed = EventsCommand(self.program)
        self.replicas = [Replica(self.program, number) for number in (1, 2)]
        eventually("both replicas consume", self._all_consume, 60)
        screen.fact(f"both consume from {' and '.join(QUEUES)}; logs in {self.program.directory}")

    def _all_consume(self) -> bool:
        for replica in self.replicas:
            replica.check()
        return all(management(f"queues/%2F/{queue}").get("consumers", 0) >= len(self.replicas) for queue in QUEUES)

    def begin_reservation(self) -> None:
        screen.step("A reservation begins: gpudev-worker enqueue KIND JSON --wait")
        self.reservation = str(uuid.uuid4())
        self.pod = f"gpu-dev-{self.reservation[:8]}"
        expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=4)
        expires_at = expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.tables.add_reservation(self.reservation, "alice", self.pod)
        self._complete("create", "disk.create", HOME | {"size_gb": 10})
        self.volume = self._restore("restore", self.reservation)["volume_id"]
        screen.fact("the platform starts a pod, and the cluster attaches the volume")
        self.cloud.attach(self.volume)
        self.cluster.add_pod(
            self.pod, "node-1", gpus=1, volume=self.volume, annotations={"gpu-dev-user-id": "alice"})
        for service in ("ssh", "jupyter"):
            self.cluster.add_service(f"{self.pod}-{service}")
        self._complete("dns", "reservation.map-dns", {
            "reservation_id": self.reservation, "preferred_name": HOST, "node_ip": self.cloud.address,
            "node_port": 30022, "expires_at": expires_at,
        })
        self._complete("route", "reservation.create-target-group", {
            "reservation_id": self.reservation, "domain_name": HOST, "pod_name": self.pod,
            "instance_id": self.cloud.instance, "jupyter_port": JUPYTER_PORT, "expires_at": expires_at,
        })
        self._complete("reconcile", "disk.reconcile-volume", {"volume_id": self.volume})
        self.free_gpus = self._complete("capacity", "capacity.refresh", {})["types"][0]["available_gpus"]
        self.swept = self._complete("sweep", "reservation.sweep", {})
        self._check_reservation()

    def _restore(self, name: str, reservation: str) -> dict:
        return self._complete(
            name, "disk.restore", HOME | {"reservation_id": reservation, "availability_zone": "us-east-2a"})

    def end_reservation(self) -> None:
        screen.step("It is cancelled: one job tears down all that it had, and its disk is released when its data is safe")
        ended = self._complete(
            "teardown", "reservation.tear-down",
            {"reservation_id": self.reservation, "status": "cancelled", "user_id": "alice"})
        self.listing = ended["content_s3_uri"]
        screen.fact("the pod is gone, and the cluster detaches the volume")
        self.cloud.detach(self.volume)
        self.jobs["release"] = ended["release_job_id"]
        self.released = self.feed.wait_for(ended["release_job_id"], "disk.release.completed")

    def begin_again(self) -> None:
        screen.step("The next reservation gets the disk with its data")
        reservation = str(uuid.uuid4())
        self.tables.add_reservation(reservation, "alice", f"gpu-dev-{reservation[:8]}")
        self.restored = self._restore("second restore", reservation)

    def keep_house(self) -> None:
        screen.step("A disk is deleted and taken back, snapshots are pruned, and all volumes reconciled")
        scratch = {"user_id": "bob", "disk_name": "scratch"}
        self._complete("link", "disk.reconcile-volume", {"volume_id": self.scratch})
        self._complete("delete", "disk.delete", scratch)
        self._complete("undelete", "disk.undelete", scratch)
        self._complete("completion", "disk.complete-snapshot", scratch)
        self._complete("prune", "disk.prune-snapshots", {})
        self.reconciled = self._complete("reconcile all", "disk.reconcile-all", {})

    @staticmethod
    def _snapshot(user: str, disk: str, volume: str) -> dict:
        return {"user_id": user, "disk_name": disk, "volume_id": volume, "snapshot_type": "shutdown"}

    def _complete(self, name: str, kind: str, payload: dict) -> dict:
        self.jobs[name] = self.program.enqueue(kind, payload, "--wait")
        return self.feed.wait_for(self.jobs[name], f"{kind}.completed")

    def repeat_a_message(self) -> None:
        screen.step("Take a snapshot, and send its message a second time: it must change nothing")
        snapshot = self._snapshot("alice", "home", self.volume) | {"reservation_id": self.reservation}
        self._complete("snapshot", "disk.create-snapshot", snapshot)
        self.program.enqueue("disk.create-snapshot", snapshot, "--id", self.jobs["snapshot"])

    def send_bad_ones(self) -> None:
        screen.step("Publish a message whose JSON breaks off, and a job for a disk that does not exist")
        self.malformed = broker.publish_malformed()
        self.jobs["replayed"] = self.program.enqueue(
            "disk.create-snapshot", self._snapshot("bob", "scratch", self.scratch), "--wait", allowed=(1,))
        self.feed.wait_for(self.jobs["replayed"], "disk.create-snapshot.failed")
        screen.step("Look into the dead queue: gpudev-worker dead list")
        letters = eventually("two dead letters", self._two_letters, 60)
        for letter in letters:
            screen.fact(f"{letter['job_id']}  {letter['kind']:<22} {letter['reason']:<10} {letter['error']}")
        self.reasons = sorted(letter["reason"] for letter in letters)

    def _two_letters(self) -> list[dict]:
        letters = self.program.dead_letters(DEAD_QUEUE)
        return letters if len(letters) >= 2 else []

    def replay(self) -> None:
        screen.step("Create the missing disk, then replay the letter: gpudev-worker dead replay")
        self._complete("second create", "disk.create", {"user_id": "bob", "disk_name": "scratch", "size_gb": 10})
        job = self.jobs["replayed"]
        screen.fact(self.program.call("dead", "replay", "--queue", DEAD_QUEUE, "--job", job))
        self.feed.wait_for(job, "disk.create-snapshot.completed")

    def summarise(self) -> None:
        eventually("the outbox is empty", lambda: not self.tables.count("outbox WHERE available_at <= now()"), 60)
        screen.step("What PostgreSQL says")
        self._check_tables()
        screen.step("What AWS says")
        self._check_cloud()
        screen.step("What the queues say")
        self._check_queues()

    def _check_reservation(self) -> None:
        records = self.cloud.records_of(HOST)
        addresses = [value.rstrip(".") for value in records.get("CNAME", [])]
        self._expect(f"CNAME {HOST}.{DOMAIN}", addresses, [self.cloud.balancer_name])
        self._expect(f"TXT _port.{HOST}.{DOMAIN}", records.get("TXT"), ['"30022"'])
        self._expect("targets behind the load balancer", self.cloud.targets(), [(self.cloud.instance, JUPYTER_PORT)])
        self._expect("hosts that the listener routes", self.cloud.routed_hosts(), [f"{HOST}.{DOMAIN}"])
        self._expect("free GPUs of four", self.free_gpus, 3)
        must_end = [self.swept[key] for key in ("expired", "failed", "stale_cancelled", "resumed")]
        self._expect("reservations that must end", must_end, [0, 0, 0, 0])

    def _check_tables(self) -> None:
        rows = self.tables.jobs(list(self.jobs.values()))
        for name, job in self.jobs.items():
            expected = ("succeeded", 2, 1) if name == "replayed" else ("succeeded", 1, 0)
            self._expect(f"job '{name}': state, attempts, replays", rows.get(job.lower()), expected)
        self._expect("disks", self.tables.count("disks"), 2)
        home = f"disks WHERE user_id = 'alice' AND in_use AND ebs_volume_id = '{self.restored['volume_id']}'"
        self._expect("alice/home is in use by the next reservation", self.tables.count(home), 1)
        ended = f"reservations WHERE reservation_id = '{self.reservation}' AND status = 'cancelled' AND cancelled_at <= now()"
        self._expect("the first reservation is cancelled", self.tables.count(ended), 1)
        self._expect("host names", self.tables.count("domain_mappings"), 0)
        self._expect("routes", self.tables.count("alb_target_groups"), 0)

    def _check_cloud(self) -> None:
        self._expect("snapshots of the repeated job", self.cloud.snapshots_of(self.jobs["snapshot"]), [self.volume])
        self._expect("snapshots of bob/scratch", self.cloud.snapshots_of(self.jobs["replayed"]), [self.scratch])
        final = self.released["snapshot_id"]
        self._expect("the last snapshot is complete", final in self.cloud.completed_snapshots("alice", "home"), True)
        self._expect("the next volume was made of it", self.restored["snapshot_id"], final)
        self._expect("volumes of alice/home", self.cloud.volumes_of("alice", "home"), [self.restored["volume_id"]])
        self._expect("records of the host name", self.cloud.records_of(HOST), {})
        self._expect("targets behind the load balancer", self.cloud.targets(), [])
        self._expect("hosts that the listener routes", self.cloud.routed_hosts(), [])
        self._expect("files in the listing", self.cloud.text_at(self.listing).count("/home/dev/"), 2)
        self._expect("pods and services", [*self.cluster.names("pods"), *self.cluster.names("services")], [])
        mended = [self.reconciled[key] for key in ("updated", "created", "quarantined_volumes", "errors")]
        self._expect("rows that the reconciliation had to mend, and errors", mended, [0, 0, 0, 0])

    def _check_queues(self) -> None:
        for name, job in self.jobs.items():
            endings = [event.rpartition(".")[2] for event in self.feed.of(job)]
            self._expect(f"events of '{name}'", endings, ["failed", "completed"] if name == "replayed" else ["completed"])
        self._expect("reasons in the dead queue before the replay", self.reasons, ["malformed", "rejected"])
        left = [letter["job_id"].lower() for letter in self.program.dead_letters(DEAD_QUEUE)]
        self._expect("letters there now: the malformed one", left, [self.malformed])

    def _expect(self, label: str, found: object, expected: object) -> None:
        is_good = found == expected
        self.failures += not is_good
        screen.verdict(is_good, label, found, expected)

    def stop_replicas(self) -> None:
        screen.step("Stop both replicas with SIGTERM")
        for replica in self.replicas:
            self._expect(f"exit code of {replica.name}", replica.stop(), 0)

    def run(self) -> int:
        started = time.monotonic()
        self.prepare()
        self.start_replicas()
        self.begin_reservation()
        self.repeat_a_message()
        self.send_bad_ones()
        self.replay()
        self.end_reservation()
        self.begin_again()
        self.keep_house()
        self.summarise()
        if not os.environ.get("KEEP"):
            self.stop_replicas()
        result = "all as it should be" if self.failures == 0 else f"{self.failures} findings are wrong"
        screen.step(f"Done in {time.monotonic() - started:.0f} s: {result}")
        return 0 if self.failures == 0 else 1


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demonstration = Demonstration()
    try:
        return demonstration.run()
    except AssertionError as failure:
        screen.failure(str(failure))
        return 1
    finally:
        if demonstration.feed:
            demonstration.feed.stop()


sys.exit(main())
