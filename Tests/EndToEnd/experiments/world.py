"""A worker system under fault: what goes in, what may happen to it, and the verdict from outside."""

import base64
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time
import urllib.request

import boto3
import pika
import psycopg
from link import Link
from load import Job, Load
from system import ROOT, Replica, System, eventually, fetched

BROKER_FAULTS = (pika.exceptions.AMQPError, OSError)


def services(*arguments: str) -> None:
    """Starts, stops or restarts one of the services that belong to this run."""
    subprocess.run([ROOT / "scripts/services", *arguments], check=True, timeout=150, stdout=subprocess.DEVNULL)


def broker_process() -> int:
    place = pathlib.Path(os.environ["GPUDEV_TEST_SERVICES_DIR"])
    return int((place / "rabbitmq.pid").read_text().split()[0])


@dataclasses.dataclass
class Row:
    """A line of the report."""

    attempted: int
    acknowledged: int
    succeeded: int
    dead: int
    lost: int
    doubled: int
    repeats: int
    recoveries: list[float]


class EventFeed:
    """Takes every event off a queue of its own, through restarts of the broker, and notes when it came."""

    def __init__(self, url: str, queue: str) -> None:
        self._parameters = pika.URLParameters(url)
        self._queue = queue
        self._ended = threading.Event()
        self.counts: collections.Counter[str] = collections.Counter()
        self.bodies: dict[str, dict] = {}
        self.times: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(*BROKER_FAULTS), contextlib.closing(
                    pika.BlockingConnection(self._parameters)) as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=200)
                for method, _, body in channel.consume(self._queue, inactivity_timeout=0.2):
                    if method:
                        self._take(json.loads(body), method.redelivered)
                        channel.basic_ack(method.delivery_tag)
                    if self._ended.is_set():
                        return
            self._ended.wait(0.3)

    def _take(self, event: dict, is_redelivered: bool) -> None:
        # What the broker hands out again because this feed did not acknowledge it was published once.
        if is_redelivered and event["id"] in self.bodies:
            return
        self.bodies.setdefault(event["id"], event)
        self.times.setdefault(event["jobid"], time.monotonic())
        self.counts[event["id"]] += 1

    def close(self) -> None:
        self._ended.set()
        self._thread.join(10)


class Keeper:
    """Holds a number of replicas alive, as a Deployment does; kills those that its probe takes for stuck."""

    def __init__(
            self, world: "World", count: int, settings=lambda number: {}, is_stuck=lambda replica: False) -> None:
        self._world, self._settings = world, settings
        self.count = count
        self.started = 0
        self._is_stuck = is_stuck
        self._leaving: set[Replica] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            for replica in filter(self._is_stuck, self._world.living):
                replica.kill()
            staying = [replica for replica in self._world.living if replica not in self._leaving]
            for _ in range(self.count - len(staying)):
                self._world.start_doomed(**self._settings(self.started))
                self.started += 1
            for replica in staying[self.count:]:
                self._leaving.add(replica)
                replica.send(signal.SIGTERM)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)


class World(System):
    """Faults, load and judgement."""

    def __init__(self, directory: pathlib.Path, cloud, seed: int, is_whole: bool) -> None:
        # The stand-in for AWS answers one request after the other.
        super().__init__(directory, cloud.settings() | {"WORKER_CONCURRENCY": "16"})
        self.cloud = cloud
        self.seed = seed
        self.is_whole = is_whole
        self.random = random.Random(seed)
        self.load = Load(seed, self)
        self.load.prepare()
        self.feed = EventFeed(self.environment["AMQP_URL"], self._event_queue)
        self._direct = dict(self.environment)
        self._publishing = threading.Lock()
        self.links: dict[str, Link] = {}
        self._keepers: list[Keeper] = []
        self.attempted: set[str] = set()
        self.acknowledged: set[str] = set()
        self.recoveries: list[float] = []
        self.note = ""

    def size(self, short: float, whole: float):
        """How long or how many: one figure for every day, one for the whole set."""
        return whole if self.is_whole else short

    # Producers

    def submit(self, jobs: list[Job], per_second: float = 0, patience: float = 120) -> None:
        """Publishes each job until the broker has confirmed it, under one id however often that takes."""
        for job in jobs:
            self.attempted.add(job.id)
            deadline = time.monotonic() + patience
            while not self._is_confirmed(job):
                assert time.monotonic() < deadline, "the broker takes nothing any more"
                time.sleep(0.2)
            self.acknowledged.add(job.id)
            if per_second:
                time.sleep(1 / per_second)

    def _is_confirmed(self, job: Job) -> bool:
        with self._publishing:
            try:
                if not self._connection.is_open:
                    self.connect()
                self.publish(job.kind, job.body, job.id, headers=job.headers)
                return True
            except BROKER_FAULTS:
                with contextlib.suppress(*BROKER_FAULTS):
                    self._connection.close()
                return False

    def flood(self, count: int, kinds: dict[str, int] | None = None, **pace) -> list[Job]:
        jobs = self.load.draw(count, kinds)
        self.submit(jobs, **pace)
        return jobs

    def flooding(self, count: int, per_second: float = 0, kinds: dict[str, int] | None = None):
        return self.submitting(self.load.draw(count, kinds), per_second)

    @contextlib.contextmanager
    def submitting(self, jobs: list[Job], per_second: float = 0):
        """Publishes beside the body, which ends no sooner than the load does."""
        thread = threading.Thread(target=self.submit, args=(jobs, per_second))
        thread.start()
        try:
            yield jobs
        finally:
            thread.join()

    def enqueue(self, job: Job, seconds: float) -> None:
        """Leaves a job in SQL that is due after so many seconds."""
        self.attempted.add(job.id)
        self.rows(
            "SELECT enqueue_job(%s, %s::jsonb, %s::uuid, now() + %s * interval '1 s')",
            job.kind, job.body.decode(), job.id, seconds)
        self.acknowledged.add(job.id)

    def adopt(self) -> set[str]:
        """Takes the jobs into account that nobody submitted, but a schedule; returns their ids."""
        found = [row for row in self.rows("SELECT job_id::text, kind FROM job_ledger") if row[0] not in self.load.jobs]
        for job, kind in found:
            self.load.jobs[job] = Job(job, kind, b"{}")
            self.attempted.add(job)
            self.acknowledged.add(job)
        return {job for job, _ in found}

    def hasten(self) -> None:
        """Lets the jobs that wait for another turn have it now: here AWS takes no 15 s to show what it was asked."""
        eventually("the rest is done", lambda: self.waiting() == 0, 60)
        self.rows("UPDATE outbox SET available_at = now() WHERE destination = 'jobs'")

    def recover(self, within: float = 10) -> float:
        """Called when a fault has cleared: how long until a new job's event is there."""
        cleared = time.monotonic()
        probe = self.flood(1, {"disk.create": 1})[0]
        eventually("a new job is done after the fault", lambda: probe.id in self.feed.times, within + 20)
        taken = self.feed.times[probe.id] - cleared
        self.recoveries.append(taken)
        assert taken <= within, f"recovered after {taken:.1f} s, which is more than {within} s"
        return taken

    # Replicas

    @property
    def living(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.is_alive]

    def keep(self, count: int = 2, settings=lambda number: {}, **more) -> Keeper:
        self._keepers.append(Keeper(self, count, settings, **more))
        return self._keepers[-1]

    def link(self, setting: str) -> Link:
        """Puts a link in front of a service for the replicas that start from now on."""
        link = self.links[setting] = Link.before(self.environment[setting], self.seed)
        self.environment[setting] = link.url
        return link

    # What others see

    def rows(self, query: str, *parameters) -> list[tuple]:
        url = self._direct["DATABASE_URL"] if hasattr(self, "_direct") else self.environment["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            return fetched(connection.execute(query, parameters))

    def while_reachable(self, query: str):
        """One value; nothing while PostgreSQL is away."""
        with contextlib.suppress(psycopg.OperationalError):
            return self.value(query)

    def end_sessions(self) -> None:
        """Ends every session of this world's database but the one that asks."""
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()")

    def connect(self) -> None:
        through = self.environment
        self.environment = getattr(self, "_direct", through)
        try:
            super().connect()
        finally:
            self.environment = through

    def management(self, path: str, method: str = "GET", body: dict | None = None):
        request = urllib.request.Request(
            os.environ["GPUDEV_TEST_RABBITMQ_API"] + "/api/" + path, method=method,
            data=json.dumps(body).encode() if body else None)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"guest:guest").decode())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def queue(self, name: str) -> dict:
        return self.management(f"queues/%2F/{self.prefix}.{name}")

    def waiting(self) -> int:
        """Jobs that are in a queue or in a worker's hands, by the management interface."""
        return sum(self.queue(name).get("messages", 1) for name in ("disks", "reservations", "capacity"))

    def backlog(self) -> int:
        """The same, with those that the outbox holds for later."""
        return self.waiting() + self.count("outbox")

    def events(self) -> list[dict]:
        return list(self.feed.bodies.values())

    def count(self, query: str, *parameters) -> int:
        return self.value(f"SELECT count(*) FROM {query}", *parameters)

    # The verdict

    def verdict(self, seconds: float = 60) -> Row:
        """Waits until all is at rest, holds what it finds against the invariants, and says it in figures."""
        ended = "job_ledger WHERE state IN ('succeeded', 'dead')"
        doomed = {job for job in self.acknowledged if self.load.jobs[job].death}
        rowless = {job for job in doomed if not self.load.jobs[job].has_row}
        with contextlib.suppress(AssertionError):
            eventually("all jobs have ended", lambda: self.count(ended) >= len(self.acknowledged - rowless), seconds)
            eventually("the outbox is empty", lambda: self.count("outbox") == 0, seconds)
            eventually("the queues are empty", lambda: self.waiting() == 0, 15)
        states = dict(self.rows("SELECT job_id::text, state FROM job_ledger"))
        succeeded = {job for job, state in states.items() if state == "succeeded"}
        dead = {job for job, state in states.items() if state == "dead"}
        assert rowless.isdisjoint(states), "what never became a job has a row"
        letters = self.letters()
        dead |= rowless & set(letters)
        waits = {str(job) for job, in self.rows("SELECT message_id FROM outbox")}
        lost = self.acknowledged - succeeded - set(letters) - waits
        row = Row(
            attempted=len(self.attempted), acknowledged=len(self.acknowledged), succeeded=len(succeeded),
            dead=len(dead), lost=len(lost), doubled=self.doubled(succeeded),
            repeats=sum(count - 1 for count in self.feed.counts.values()), recoveries=self.recoveries)
        assert not lost, f"lost: {sorted(lost)[:5]}"
        assert row.doubled == 0, row
        assert not waits, f"still on the way: {sorted(waits)[:5]}"
        assert self.acknowledged - doomed <= succeeded and doomed & self.acknowledged <= dead, {
            job: (states.get(job), self.load.jobs[job].kind, self.value(
                "SELECT error_code FROM job_ledger WHERE job_id = %s", job))
            for job in self.acknowledged - doomed - succeeded}
        assert succeeded.isdisjoint(letters)
        self._check_events(succeeded, dead)
        self._check_letters(letters, dead)
        self._check_tries()
        self._check_connections()
        return row

    def doubled(self, succeeded: set[str]) -> int:
        """How many things there are more than jobs that asked for one, by AWS's count and PostgreSQL's."""
        kinds = collections.Counter(self.load.jobs[job].kind for job in succeeded)
        snapshots = collections.Counter(
            tag["Value"] for page in boto3.client("ec2").get_paginator("describe_snapshots").paginate(OwnerIds=["self"])
            for snapshot in page["Snapshots"] for tag in snapshot.get("Tags", []) if tag["Key"] == "gpu-dev-operation")
        asked = {job for job in succeeded if self.load.jobs[job].kind == "disk.create-snapshot"}
        assert asked <= set(snapshots), "a snapshot is reported and not there"
        groups = sum(
            len(page["TargetGroups"])
            for page in boto3.client("elbv2").get_paginator("describe_target_groups").paginate())
        names = sum(
            record["Type"] == "CNAME" or record["Type"] == "A"
            for page in boto3.client("route53").get_paginator("list_resource_record_sets").paginate(
                HostedZoneId=self.cloud.zone) for record in page["ResourceRecordSets"])
        disks = self.count("disks WHERE operation_id IS NOT NULL")
        found = {
            "target groups": groups - kinds["reservation.create-target-group"],
            "rules": len(self.cloud.routed_hosts()) - kinds["reservation.create-target-group"],
            "host names": names - kinds["reservation.map-dns"], "disks": disks - kinds["disk.create"]}
        assert min(found.values()) >= 0, f"reported and not there: {found}"
        surplus = {job: count - 1 for job, count in snapshots.items() if count > 1}
        print("doubled:", found, surplus)
        return sum(found.values()) + sum(surplus.values())

    def letters(self) -> dict[str, tuple]:
        """Every dead letter by its job's id; they stay where they are."""
        found = {}
        for family in ("disks", "reservations", "capacity"):
            while True:
                method, properties, body = self.channel.basic_get(f"{self.prefix}.{family}.dead")
                if not method:
                    break
                found[properties.message_id] = (properties, body)
        self.channel.basic_nack(0, multiple=True, requeue=True)
        return found

    def _check_events(self, succeeded: set[str], dead: set[str]) -> None:
        deaths = dict.fromkeys((job for job in dead if not self.load.jobs[job].has_row), 1)
        deaths |= dict(self.rows("SELECT job_id::text, deaths FROM job_ledger WHERE deaths > 0"))
        expected = {f"{job}.completed" for job in succeeded}
        expected |= {f"{job}.failed.{number + 1}" for job in deaths for number in range(deaths[job])}
        eventually("every event is there", lambda: expected <= set(self.feed.bodies), 15)
        assert set(self.feed.bodies) == expected, "an event tells what did not happen"
        assert dead <= set(deaths)

    def _check_letters(self, letters: dict[str, tuple], dead: set[str]) -> None:
        assert set(letters) == dead
        for letter, (properties, body) in letters.items():
            job = self.load.jobs[letter]
            assert body == job.body, f"another body than it came with: {body[:1000]!r}"
            assert properties.headers.items() >= (job.headers | {
                "x-dead-reason": job.death, "x-original-exchange": f"{self.prefix}.jobs",
                "x-original-routing-key": job.kind}).items()

    def _check_tries(self) -> None:
        wrong = self.rows(
            "SELECT job_id FROM job_ledger l WHERE attempts <> (state = 'succeeded')::int +"
            " (SELECT count(*) FROM job_attempts a WHERE a.job_id = l.job_id)")
        assert wrong == [], "attempts that were not made"

    def _check_connections(self) -> None:
        """Each living replica has its two AMQP connections and one consumer a queue, and few descriptors."""
        living = len(self.living)

        def worker_connections() -> list[str]:
            names = (link.get("client_properties", {}).get("connection_name", "") for link in
                     self.management("connections"))
            return [name for name in names if name.endswith((" jobs", " relay"))]

        eventually("two AMQP connections a replica", lambda: len(worker_connections()) == 2 * living, 20)
        eventually("a consumer a replica", lambda: self.queue("disks").get("consumers") == living, 20)
        for replica in self.living:
            assert replica.descriptors < 200, f"{replica.descriptors} descriptors"
        sessions = self.count("pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", self.prefix)
        assert sessions <= living * 24, f"{sessions} sessions of {living} replicas"

    def close(self) -> None:
        for keeper in self._keepers:
            keeper.stop()
        for link in self.links.values():
            link.restore()
        self.feed.close()
        self.environment = self._direct
        super().close()
        for link in self.links.values():
            link.close()
