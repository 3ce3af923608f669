"""One worker system of a test's own: database, exchanges and queues, and the processes that it starts."""

import contextlib
import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable

import pika
import psycopg
from admin import AdminPort
from contracts import check_event, check_payload

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("GPUDEV_TEST_PROGRAM", ROOT / ".build/debug/gpudev-worker"))
QUICK = {
    "WORKER_RETRY_BASE": "100ms", "WORKER_UNKNOWN_KIND_WAIT": "300ms", "WORKER_SHUTDOWN_GRACE": "10s",
    "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "HTTP_PORT": "0",
    # The server that stands in for AWS allows any number of requests.
    "AWS_RATE_FACTOR": "20",
}


def fetched(cursor: psycopg.Cursor) -> list[tuple]:
    """The rows of a statement, which may have no columns; none of one that gives no rows."""
    return cursor.fetchall() if cursor.pgresult.status == psycopg.pq.ExecStatus.TUPLES_OK else []


def eventually(what: str, condition: Callable[[], object], seconds: float = 30):
    """Returns the first true value of the condition; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")


class Replica:
    """One running worker."""

    def __init__(self, environment: dict[str, str], log: pathlib.Path, launcher: tuple[str, ...] = ()) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*launcher, PROGRAM, "run"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def resident(self) -> int:
        """Memory in KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    @functools.cached_property
    def admin(self) -> AdminPort:
        """Its admin port, as soon as that listens."""

        def listening() -> re.Match | None:
            assert self.is_alive, self.log.read_text(errors="replace")
            return re.search(r'"the admin port listens".*"http.port":"(\d+)"', self.log.read_text(errors="replace"))

        return AdminPort(int(eventually("the admin port listens", listening)[1]))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, seconds: float = 20) -> int:
        """Asks it to end and returns its exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def kill(self) -> None:
        if self.is_alive:
            self.process.kill()
        self.process.wait(timeout=10)


class System:
    """Everything under one prefix."""

    def __init__(self, directory: pathlib.Path, settings: dict[str, str]) -> None:
        self.prefix = f"t{uuid.uuid4().hex[:12]}"
        self.directory = directory
        self.replicas: list[Replica] = []
        self.launcher: tuple[str, ...] = ()
        """What becomes the worker in the end, such as `prlimit` with its limits."""
        self._events: list[dict] = []
        self._admin = os.environ["GPUDEV_TEST_DATABASE_URL"]
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{self.prefix}"')
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "AMQP_URL": os.environ["GPUDEV_TEST_AMQP_URL"],
            "DATABASE_URL": self._admin.rpartition("/")[0] + "/" + self.prefix,
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
        parameters = pika.URLParameters(self.environment["AMQP_URL"])
        # A test may look away for longer than a heartbeat.
        parameters.heartbeat = 0
        self._connection = pika.BlockingConnection(parameters)
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
        return self.channel.queue_declare(f"{self.prefix}.{queue}", passive=True).method.message_count

    def consumers(self, queue: str) -> int:
        return self.channel.queue_declare(f"{self.prefix}.{queue}", passive=True).method.consumer_count

    # What PostgreSQL holds

    def rows(self, query: str, *parameters) -> list[tuple]:
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True) as connection:
            return fetched(connection.execute(query, parameters))

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

    def run(self, *arguments: str, given: str | None = None, **settings) -> subprocess.CompletedProcess:
        """Runs one command to its end."""
        return subprocess.run(
            [PROGRAM, *arguments], env=self.environment | settings, input=given or "", capture_output=True,
            text=True, timeout=60, check=False)

    def call(self, *arguments: str, **settings) -> str:
        """Runs one command that must succeed, and returns its standard output."""
        result = self.run(*arguments, **settings)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.strip()

    def start(self, count: int = 1, **settings) -> list[Replica]:
        """Starts workers and waits until they consume."""
        started = [
            self._replica(len(self.replicas) + number, settings)
            for number in range(count)]
        self.replicas += started
        alive = sum(replica.is_alive for replica in self.replicas)
        eventually("the workers consume", lambda: self.consumers("reservations") >= alive)
        return started

    def start_doomed(self, **settings) -> Replica:
        """Starts a worker that is going to die, however soon."""
        replica = self._replica(len(self.replicas), settings)
        self.replicas.append(replica)
        return replica

    def _replica(self, number: int, settings: dict[str, str]) -> Replica:
        return Replica(self.environment | settings, self.directory / f"worker-{number}.log", self.launcher)

    def logs(self) -> str:
        return "\n".join(
            line for replica in self.replicas for line in replica.log.read_text(errors="replace").splitlines()[-25:])

    def close(self) -> None:
        for replica in self.replicas:
            replica.kill()
        if not self._connection.is_open:
            self.connect()
        for family in ("disks", "reservations", "capacity"):
            self.channel.queue_delete(f"{self.prefix}.{family}")
            self.channel.queue_delete(f"{self.prefix}.{family}.dead")
        self.channel.queue_delete(f"{self.prefix}.test")
        for exchange in ("jobs", "events", "dead"):
            self.channel.exchange_delete(f"{self.prefix}.{exchange}")
        # A node that was killed several times may have lost hold of a stream; it is discarded with it.
        with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
            self.channel.queue_delete(f"{self.prefix}.events.log")
        self._connection.close()
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{self.prefix}" WITH (FORCE)')


class Orders:
    """A queue that gets every job's message beside the workers."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._queue = f"{system.prefix}.orders"
        self._seen: dict[str, tuple[str, str, dict]] = {}
        system.channel.queue_declare(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
        system.channel.queue_bind(self._queue, f"{system.prefix}.jobs", "#")

    def __call__(self, *kinds: str) -> list[tuple[str, str, dict]]:
        """Waits until the outbox has nothing more to send."""
        due = "SELECT FROM outbox WHERE destination = 'jobs' AND available_at <= now()"
        eventually("the outbox is empty", lambda: not self._system.rows(due))
        while True:
            method, properties, body = self._system.channel.basic_get(self._queue, auto_ack=True)
            if not method:
                return [order for order in self._seen.values() if not kinds or order[0] in kinds]
            self._seen.setdefault(properties.message_id, (properties.type, properties.message_id, json.loads(body)))

    def close(self) -> None:
        self._system.channel.queue_delete(self._queue)
