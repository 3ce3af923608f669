"""Shows every kind of job at work, once and only once, then what happens to bad ones.

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
from cloud import DOMAIN, Cloud
from program import EventFeed, Failure, Replica, Worker, base_environment, wait_until
from tables import Tables

HOST = "alice-training"
JUPYTER_PORT = 30888
DEAD_QUEUE = "gpudev.disks.dead"
QUEUES = ("gpudev.disks", "gpudev.reservations")


class Demonstration:
    """The steps, in the order in which they are shown."""

    def __init__(self) -> None:
        directory = pathlib.Path(os.environ["GPUDEV_TEST_SERVICES_DIR"])
        self.worker = Worker(base_environment() | {"WORKER_QUEUES": "disks,reservations"}, directory)
        self.replicas: list[Replica] = []
        self.feed: EventFeed | None = None
        self.jobs: dict[str, str] = {}
        self.failures = 0

    def prepare(self) -> None:
        screen.step("Bring the database to the current schema: gpudev-worker migrate")
        self.worker.call("migrate")
        self.tables = Tables()
        screen.step("Declare exchanges and queues: gpudev-worker topology declare")
        self.worker.call("topology", "declare")
        screen.step("Prepare AWS as the platform has it: zone, load balancer, instance, two volumes")
        self.cloud = Cloud()
        self.worker.environment |= self.cloud.settings()
        self.home = self.cloud.create_volume("alice", "home")
        self.scratch = self.cloud.create_volume("bob", "scratch")
        screen.fact(f"zone {self.cloud.zone}, instance {self.cloud.instance}, volumes {self.home} {self.scratch}")
        screen.step("Ask whether everything is in order: gpudev-worker doctor")
        for line in self.worker.call("doctor").splitlines():
            screen.fact(line)

    def start_replicas(self) -> None:
        screen.step("Start two replicas of the worker, and follow the events: gpudev-worker events")
        self.feed = EventFeed(self.worker)
        self.replicas = [Replica(self.worker, number) for number in (1, 2)]
        wait_until("both replicas consume", self._all_consume)
        screen.fact(f"both consume from {' and '.join(QUEUES)}; logs in {self.worker.directory}")

    def _all_consume(self) -> bool:
        for replica in self.replicas:
            replica.check()
        return all(broker.consumers_of(queue) >= len(self.replicas) for queue in QUEUES)

    def run_every_kind(self) -> None:
        screen.step("Enqueue one job of each kind: gpudev-worker enqueue KIND JSON --wait")
        self.reservation = str(uuid.uuid4())
        pod = f"gpu-dev-{self.reservation[:8]}"
        expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=4)
        expires_at = expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.tables.add_reservation(self.reservation, "alice", pod)
        self._complete("create", "disk.create", {"user_id": "alice", "disk_name": "home", "size_gb": 10})
        self._complete("reconcile", "disk.reconcile-volume", {"volume_id": self.home})
        self._complete("snapshot", "disk.create-snapshot", self._snapshot("alice", "home", self.home))
        self._complete("dns", "reservation.map-dns", {
            "reservation_id": self.reservation, "preferred_name": HOST, "node_ip": self.cloud.address,
            "node_port": 30022, "expires_at": expires_at,
        })
        self._complete("route", "reservation.create-target-group", {
            "reservation_id": self.reservation, "domain_name": HOST, "pod_name": pod,
            "instance_id": self.cloud.instance, "jupyter_port": JUPYTER_PORT, "expires_at": expires_at,
        })

    @staticmethod
    def _snapshot(user: str, disk: str, volume: str) -> dict:
        return {"user_id": user, "disk_name": disk, "volume_id": volume, "snapshot_type": "shutdown"}

    def _complete(self, name: str, kind: str, payload: dict) -> None:
        self.jobs[name] = self.worker.enqueue(kind, payload, "--wait")
        self.feed.wait_for(self.jobs[name], f"{kind}.completed")

    def repeat_a_message(self) -> None:
        screen.step("Send the snapshot's message a second time: it must change nothing")
        self.worker.enqueue(
            "disk.create-snapshot", self._snapshot("alice", "home", self.home), "--id", self.jobs["snapshot"])

    def send_bad_ones(self) -> None:
        screen.step("Publish a message whose JSON breaks off, and a job for a disk that does not exist")
        self.malformed = broker.publish_malformed()
        self.jobs["replayed"] = self.worker.enqueue(
            "disk.create-snapshot", self._snapshot("bob", "scratch", self.scratch), "--wait", allowed=(1,))
        self.feed.wait_for(self.jobs["replayed"], "disk.create-snapshot.failed")
        screen.step("Look into the dead queue: gpudev-worker dead list")
        letters = wait_until("two dead letters", self._two_letters)
        for letter in letters:
            screen.fact(f"{letter['job_id']}  {letter['kind']:<22} {letter['reason']:<10} {letter['error']}")
        self.reasons = sorted(letter["reason"] for letter in letters)

    def _two_letters(self) -> list[dict]:
        letters = self.worker.dead_letters(DEAD_QUEUE)
        return letters if len(letters) >= 2 else []

    def replay(self) -> None:
        screen.step("Create the missing disk, then replay the letter: gpudev-worker dead replay")
        self._complete("second create", "disk.create", {"user_id": "bob", "disk_name": "scratch", "size_gb": 10})
        job = self.jobs["replayed"]
        screen.fact(self.worker.call("dead", "replay", "--queue", DEAD_QUEUE, "--job", job))
        self.feed.wait_for(job, "disk.create-snapshot.completed")

    def summarise(self) -> None:
        wait_until("the outbox is empty", lambda: not self.tables.count("outbox WHERE available_at <= now()"))
        screen.step("What PostgreSQL says")
        self._check_tables()
        screen.step("What AWS says")
        self._check_cloud()
        screen.step("What the queues say")
        self._check_queues()

    def _check_tables(self) -> None:
        rows = self.tables.jobs(list(self.jobs.values()))
        for name, job in self.jobs.items():
            expected = ("succeeded", 2, 1) if name == "replayed" else ("succeeded", 1, 0)
            self._expect(f"job '{name}': state, attempts, replays", rows.get(job.lower()), expected)
        home = f"disks WHERE user_id = 'alice' AND disk_name = 'home' AND ebs_volume_id = '{self.home}'"
        self._expect("disks", self.tables.count("disks"), 2)
        self._expect("alice/home is on its volume", self.tables.count(home), 1)
        self._expect("host names", self.tables.count(f"domain_mappings WHERE domain_name = '{HOST}'"), 1)
        routes = "alb_target_groups WHERE jupyter_target_group_arn <> '' AND jupyter_rule_arn <> ''"
        self._expect("routes with target group and rule", self.tables.count(routes), 1)

    def _check_cloud(self) -> None:
        self._expect("snapshots of alice/home", self.cloud.snapshots_of(self.jobs["snapshot"]), [self.home])
        self._expect("snapshots of bob/scratch", self.cloud.snapshots_of(self.jobs["replayed"]), [self.scratch])
        records = self.cloud.records_of(HOST)
        addresses = [value.rstrip(".") for value in records.get("CNAME", [])]
        self._expect(f"CNAME {HOST}.{DOMAIN}", addresses, [self.cloud.balancer_name])
        self._expect(f"TXT _port.{HOST}.{DOMAIN}", records.get("TXT"), ['"30022"'])
        self._expect("targets behind the load balancer", self.cloud.targets(), [(self.cloud.instance, JUPYTER_PORT)])
        self._expect("hosts that the listener routes", self.cloud.routed_hosts(), [f"{HOST}.{DOMAIN}"])

    def _check_queues(self) -> None:
        for name, job in self.jobs.items():
            endings = [event.rpartition(".")[2] for event in self.feed.of(job)]
            self._expect(f"events of '{name}'", endings, ["failed", "completed"] if name == "replayed" else ["completed"])
        self._expect("reasons in the dead queue before the replay", self.reasons, ["malformed", "rejected"])
        left = [letter["job_id"].lower() for letter in self.worker.dead_letters(DEAD_QUEUE)]
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
        self.run_every_kind()
        self.repeat_a_message()
        self.send_bad_ones()
        self.replay()
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
    except Failure as failure:
        screen.failure(str(failure))
        return 1
    finally:
        if demonstration.feed:
            demonstration.feed.stop()


sys.exit(main())
