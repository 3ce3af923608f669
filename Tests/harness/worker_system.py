"""One worker system of a test's own: database, exchanges and queues, and the processes that it starts."""

import json
import os
import pathlib
import subprocess
import time
import uuid

import pika

from harness import database
from harness.broker import FAMILIES, broker_url, consumers_of, delete_topology, messages_in, patient_parameters
from harness.contracts import check_event, check_payload
from harness.database import create_database, database_url, drop_database, server_url
from harness.program import FAKETIME, call_program, run_program
from harness.waiting import eventually
from harness.worker import Replica

QUICK = {
    "WORKER_RETRY_BASE": "100ms", "WORKER_UNKNOWN_KIND_WAIT": "300ms", "WORKER_SHUTDOWN_GRACE": "10s",
    "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "HTTP_PORT": "0",
    # The server that stands in for AWS allows any number of requests.
    "AWS_RATE_FACTOR": "20",
}


class WorkerSystem:
    """Everything under one prefix."""

    def __init__(self, directory: pathlib.Path, settings: dict[str, str]) -> None:
        self.prefix = f"t{uuid.uuid4().hex[:12]}"
        self.directory = directory
        self.replicas: list[Replica] = []
        self.launcher: tuple[str, ...] = ()
        """What becomes the worker in the end, such as `prlimit` with its limits."""
        self.account: dict[str, str] = {}
        """Settings of the workers alone: where they log in as somebody else than the commands."""
        self._events: list[dict] = []
        self._server = server_url()
        create_database(self.prefix, self._server)
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "AMQP_URL": broker_url(),
            "DATABASE_URL": database_url(self.prefix, self._server),
            "TOPOLOGY_PREFIX": self.prefix,
            "AWS_REGION": "us-east-2", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": os.environ["GPUDEV_TEST_AWS_ENDPOINT"],
            **QUICK, **settings,
        }
        self.call("migrate")
        self.call("topology", "declare")
        self.connect()
        self._declared = time.monotonic()

    # What a producer and a subscriber do

    def connect(self) -> None:
        """Opens the test's own connection to the broker, and the queue that all events go to."""
        self._connection = pika.BlockingConnection(patient_parameters(self.environment["AMQP_URL"]))
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()
        self._event_queue = f"{self.prefix}.test"
        self.channel.queue_declare(self._event_queue, durable=True, arguments={"x-queue-type": "quorum"})
        self.channel.queue_bind(self._event_queue, f"{self.prefix}.events", "#")

    def wait_until_queues_are_kept(self) -> None:
        """RabbitMQ 3.10 forgets a quorum queue, and what it confirmed of it, if it is killed just after the declaration."""
        time.sleep(max(0.0, self._declared + 2 - time.monotonic()))

    def publish(self, kind: str, payload: dict | bytes, job: str | None = None, checked: bool = True, **more) -> str:
        """Publishes a job's message and returns the job's id."""
        job = job or str(uuid.uuid4())
        if isinstance(payload, dict):
            if checked:
                check_payload(kind, payload)
            payload = json.dumps(payload).encode()
        properties = {
            "message_id": job, "type": kind, "content_type": "application/json", "delivery_mode": 2} | more
        self.channel.basic_publish(
            f"{self.prefix}.jobs", kind, payload, pika.BasicProperties(**properties), mandatory=True)
        return job

    def events(self) -> list[dict]:
        """All events so far, each checked against its schema, repeats included."""
        while True:
            method, properties, body = self.channel.basic_get(self._event_queue)
            if not method:
                return self._events
            event = json.loads(body)
            assert properties.message_id == event["id"] and method.routing_key == event["type"]
            check_event(event)
            self._events.append(event)
            self.channel.basic_ack(method.delivery_tag)

    def events_of(self, job: str) -> list[dict]:
        return [event for event in self.events() if event["jobid"] == job]

    def event(self, job: str, seconds: float = 30) -> dict:
        """The first event of a job."""
        return eventually(f"an event of job {job}", lambda: self.events_of(job), seconds)[0]

    def letter(self, family: str = "disks"):
        """The next dead letter: its properties and body."""

        def get():
            method, properties, body = self.channel.basic_get(f"{self.prefix}.{family}.dead", auto_ack=True)
            return method and (properties, body)

        return eventually("a dead letter", get)

    def depth(self, queue: str) -> int:
        """How many messages are ready in a queue."""
        return messages_in(self.channel, f"{self.prefix}.{queue}")

    def consumers(self, queue: str) -> int:
        return consumers_of(self.channel, f"{self.prefix}.{queue}")

    # What PostgreSQL holds

    def rows(self, query: str, *parameters) -> list[tuple]:
        return database.query(self.environment["DATABASE_URL"], query, *parameters)

    def value(self, query: str, *parameters):
        rows = self.rows(query, *parameters)
        return rows[0][0] if rows else None

    def state(self, job: str) -> tuple | None:
        """State and attempts in the ledger."""
        rows = self.rows("SELECT state, attempts FROM job_ledger WHERE job_id = %s", job)
        return rows[0] if rows else None

    def add_disk(self, user: str, disk: str, **columns) -> None:
        values = {"user_id": user, "disk_name": disk} | columns
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        self.rows(f"INSERT INTO disks ({names}) VALUES ({marks})", *values.values())

    def add_reservation(self, reservation: str, status: str = "active", **columns) -> None:
        self.rows(
            "INSERT INTO reservations (reservation_id, user_id, status, duration_hours, created_at)"
            " VALUES (%s, 'alice', %s, 4, now())", reservation, status)
        for column, value in columns.items():
            self.rows(f"UPDATE reservations SET {column} = %s WHERE reservation_id = %s", value, reservation)

    def hurry(self) -> None:
        """Lets what waits for its time go on at once."""
        self.rows("UPDATE outbox SET available_at = now() WHERE destination = 'jobs' AND available_at > now()")

    # The program

    def run(self, *arguments: str, given: str = "", **settings) -> subprocess.CompletedProcess:
        """Runs one command to its end."""
        return run_program(arguments, self.environment | settings, given)

    def call(self, *arguments: str, **settings) -> str:
        """Runs one command that must succeed, and returns its standard output."""
        return call_program(arguments, self.environment | settings)

    def start(self, count: int = 1, **settings) -> list[Replica]:
        """Starts workers and waits until they consume."""
        started = [
            self._replica(len(self.replicas) + number, settings)
            for number in range(count)]
        self.replicas += started
        eventually("the workers consume", lambda: all(map(self._is_consumed, FAMILIES)))
        return started

    def start_at(self, offset: str, **settings) -> list[Replica]:
        """Starts a worker whose wall clock is off by so much, such as `+1d`."""
        # libfaketime moves the environment when it is loaded, and Swift looks for the arguments beside it: `env`, which
        # it is loaded into first, hands the moved one on.
        self.launcher, launcher = ("env",), self.launcher
        try:
            return self.start(
                LD_PRELOAD=str(FAKETIME), FAKETIME=offset, FAKETIME_NO_CACHE="1", DONT_FAKE_MONOTONIC="1", **settings)
        finally:
            self.launcher = launcher

    def _is_consumed(self, family: str) -> bool:
        """Whether each replica that lives consumes the queue, as far as it is to take it."""
        takers = sum(replica.is_alive and family in replica.families for replica in self.replicas)
        return not takers or self.consumers(family) >= takers

    def start_doomed(self, **settings) -> Replica:
        """Starts a worker that is going to die, however soon."""
        replica = self._replica(len(self.replicas), settings)
        self.replicas.append(replica)
        return replica

    def _replica(self, number: int, settings: dict[str, str]) -> Replica:
        environment = self.environment | self.account | settings
        if "GPUDEV_MISBEHAVE" in environment:
            # A death that is the point takes no time for a backtrace: reading the symbols of a debug build takes ten
            # seconds. A crash that nobody expected still leaves one in the log.
            environment["SWIFT_BACKTRACE"] = "enable=no"
        return Replica(environment, self.directory / f"worker-{number}.log", self.launcher)

    def logs(self) -> str:
        return "\n".join(
            line for replica in self.replicas for line in replica.log.read_text(errors="replace").splitlines()[-25:])

    def close(self) -> None:
        for replica in self.replicas:
            replica.kill()
        if not self._connection.is_open:
            self.connect()
        self.channel.queue_delete(f"{self.prefix}.test")
        delete_topology(self.channel, self.prefix)
        self._connection.close()
        drop_database(self.prefix, self._server)
