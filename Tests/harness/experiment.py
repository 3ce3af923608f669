"""A worker system under fault: what goes in, what may happen to it, and the verdict from outside."""

import collections
import contextlib
import dataclasses
import pathlib
import random
import signal
import threading
import time

import boto3
import psycopg

from harness import database
from harness.broker import BROKER_FAULTS, FAMILIES, management
from harness.events import EventFeed
from harness.job_load import Job, Load
from harness.machine import scaled
from harness.network.fault_proxy import FaultProxy
from harness.waiting import eventually
from harness.worker import Replica
from harness.worker_system import WorkerSystem

CONNECTIONS = tuple(f" {name}" for name in (*FAMILIES, "relay"))
"""How the names of a replica's connections to the broker end, but for the one that comes and goes with the gauges."""
LARGEST_BODY = 1 << 20
"""A longer one is no job's, and is left to the broker to bury."""
TEST_SESSION = "experiment"
"""The name of the test's own sessions in PostgreSQL."""


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


class Keeper:
    """Holds a number of replicas alive, as a Deployment does; kills those that its probe takes for stuck."""

    def __init__(
            self, experiment: "Experiment", count: int, settings=lambda number: {}, is_stuck=lambda replica: False) -> None:
        self._experiment, self._settings = experiment, settings
        self.count = count
        self.started = 0
        self._is_stuck = is_stuck
        self._leaving: set[Replica] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            for replica in filter(self._is_stuck, self._experiment.living):
                replica.kill()
            staying = [replica for replica in self._experiment.living if replica not in self._leaving]
            for _ in range(self.count - len(staying)):
                self._experiment.start_doomed(**self._settings(self.started))
                self.started += 1
            for replica in staying[self.count:]:
                self._leaving.add(replica)
                replica.send(signal.SIGTERM)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(scaled(10))


class Experiment(WorkerSystem):
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
        self.proxies: dict[str, FaultProxy] = {}
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
            deadline = time.monotonic() + scaled(patience)
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
        within, cleared = scaled(within), time.monotonic()
        probe = self.flood(1, {"disk.create": 1})[0]
        eventually("a new job is done after the fault", lambda: probe.id in self.feed.times, within)
        taken = self.feed.times[probe.id] - cleared
        self.recoveries.append(taken)
        assert taken <= within, f"recovered after {taken:.1f} s, which is more than {within:.0f} s"
        return taken

    # Replicas

    @property
    def living(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.is_alive]

    def keep(self, count: int = 2, settings=lambda number: {}, **more) -> Keeper:
        self._keepers.append(Keeper(self, count, settings, **more))
        return self._keepers[-1]

    def proxy_before(self, setting: str) -> FaultProxy:
        """Puts a proxy in front of a service for the replicas that start from now on."""
        proxy = self.proxies[setting] = FaultProxy.before(self.environment[setting], self.seed)
        self.environment[setting] = proxy.url
        return proxy

    # What others see

    def rows(self, query: str, *parameters) -> list[tuple]:
        url = self._direct["DATABASE_URL"] if hasattr(self, "_direct") else self.environment["DATABASE_URL"]
        return database.query(url, query, *parameters, options=f"-c default_transaction_read_only=off -c application_name={TEST_SESSION}")

    def while_reachable(self, query: str):
        """One value; nothing while PostgreSQL is away."""
        with contextlib.suppress(psycopg.OperationalError):
            return self.value(query)

    def end_sessions(self) -> None:
        """Ends every session of the database but those of the test, which asks and prepares jobs meanwhile."""
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> %s", TEST_SESSION)

    def connect(self) -> None:
        through = self.environment
        self.environment = getattr(self, "_direct", through)
        try:
            super().connect()
        finally:
            self.environment = through

    def queue(self, name: str) -> dict:
        return management(f"queues/%2F/{self.prefix}.{name}")

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
        doomed = {job for job in self.acknowledged if self.load.jobs[job].death}
        rowless = {job for job in doomed if not self.load.jobs[job].has_row}
        with contextlib.suppress(AssertionError):
            eventually("all jobs have ended", lambda: self.acknowledged - rowless <= self.ended(), seconds)
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

    def ended(self) -> set[str]:
        """The jobs that have ended; those of the schedules, which a slow machine brings in, are accounted for from now on."""
        self.adopt()
        return {job for job, in self.rows("SELECT job_id::text FROM job_ledger WHERE state IN ('succeeded', 'dead')")}

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
        eventually("every event is there", lambda: expected <= set(self.feed.bodies), 60)
        assert set(self.feed.bodies) == expected, "an event tells what did not happen"
        assert dead <= set(deaths)

    def _check_letters(self, letters: dict[str, tuple], dead: set[str]) -> None:
        assert set(letters) == dead
        for letter, (properties, body) in letters.items():
            job = self.load.jobs[letter]
            assert body == job.body, f"another body than it came with: {body[:1000]!r}"
            told = {
                "x-dead-reason": job.death, "x-original-exchange": f"{self.prefix}.jobs",
                "x-original-routing-key": job.kind}
            if len(body) > LARGEST_BODY:
                told = {"x-first-death-reason": "rejected", "x-first-death-queue": f"{self.prefix}.disks"}
            assert properties.headers.items() >= (job.headers | told).items()

    def _check_tries(self) -> None:
        wrong = self.rows(
            "SELECT job_id FROM job_ledger l WHERE attempts <> (state = 'succeeded')::int +"
            " (SELECT count(*) FROM job_attempts a WHERE a.job_id = l.job_id)")
        assert wrong == [], "attempts that were not made"

    def _check_connections(self) -> None:
        """Each living replica has an AMQP connection for each queue and one for the relay, and few descriptors."""
        living = len(self.living)

        def worker_connections() -> list[str]:
            names = (connection.get("client_properties", {}).get("connection_name", "") for connection in
                     management("connections"))
            return [name for name in names if name.endswith(CONNECTIONS)]

        wanted = sum(len(replica.families) + 1 for replica in self.living)
        # A consumer that the broker does not answer is given up after half a minute, and its connection with it.
        eventually("the AMQP connections of each", lambda: len(worker_connections()) == wanted, 60)
        for family in FAMILIES:
            takers = sum(family in replica.families for replica in self.living)
            eventually(
                "a consumer a replica",
                lambda name=family, count=takers: self.queue(name).get("consumers", 0) == count, 60)
        for replica in self.living:
            assert replica.descriptors < 200, f"{replica.descriptors} descriptors"
        sessions = self.count(
            "pg_stat_activity WHERE datname = %s AND application_name <> %s", self.prefix, TEST_SESSION)
        # Jobs, relay, upkeep, the worker's own, and that of a reconciliation.
        assert sessions <= living * (20 + 3 + 2 + 1 + 1), f"{sessions} sessions of {living} replicas"

    def close(self) -> None:
        for keeper in self._keepers:
            keeper.stop()
        for proxy in self.proxies.values():
            proxy.restore()
        self.feed.close()
        self.environment = self._direct
        super().close()
        for proxy in self.proxies.values():
            proxy.close()
