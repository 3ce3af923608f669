"""What one measurement has to itself: a database, exchanges and queues, and the workers that it starts."""

import contextlib
import os
import pathlib
import re
import subprocess
import uuid
from collections.abc import Iterator

import pika

from bench.ways import STRAIGHT, Way
from harness.broker import broker_url, consumers_of, delete_topology, management, messages_in, patient_parameters
from harness.database import administer, create_database, database_url, drop_database, query, server_url
from harness.program import PROGRAM, call_program
from harness.repository import ROOT

PLACE = ROOT / ".local/bench"
TEMPLATE = "bench_template"

# What PostgreSQL must be set to, or the figures would be about something that nobody runs.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


def prepare_template() -> None:
    """Checks the settings and makes the migrated database that every measurement gets a copy of."""
    server = server_url()
    for name, wanted in DURABLE.items():
        (found,), = query(server, f"SHOW {name}")
        if found != wanted:
            raise RuntimeError(f"PostgreSQL's {name} is {found}, and must be {wanted}")
    drop_database(TEMPLATE, server)
    create_database(TEMPLATE, server)
    call_program(["migrate"], {"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url(TEMPLATE, server)})


class Site:
    """Everything under one name, gone when the measurement is over."""

    def __init__(self, way: Way = STRAIGHT, **settings: str) -> None:
        self.name = f"b{uuid.uuid4().hex[:10]}"
        self.event_queue = f"{self.name}.observed"
        self.queues = [self.event_queue]
        self.processes: list[subprocess.Popen] = []
        self.database = database_url(self.name, server_url())
        create_database(self.name, server_url(), TEMPLATE)
        administer(server_url(), "CHECKPOINT")
        self.environment = {
            "PATH": "/usr/bin:/bin", **way.settings(broker_url(), self.database), "TOPOLOGY_PREFIX": self.name,
            "AWS_REGION": "us-east-2", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "LOG_FORMAT": "json", "HTTP_PORT": "0", **settings,
        }
        call_program(["topology", "declare"], self.environment)
        self.connection = pika.BlockingConnection(patient_parameters(broker_url()))
        self.channel = self.connection.channel()
        self.channel.queue_declare(self.event_queue, durable=True, arguments={"x-queue-type": "quorum"})
        self.channel.queue_bind(self.event_queue, f"{self.name}.events", "#")

    def declare_queue(self, name: str) -> None:
        """Declares one more quorum queue, for jobs that are not this program's."""
        self.queues.append(f"{self.name}.{name}")
        self.channel.queue_declare(self.queues[-1], durable=True, arguments={"x-queue-type": "quorum"})

    def guest_environment(self, queue: str) -> dict[str, str]:
        """For another program that does the job: where everything is, and the queue that it works on."""
        names = ("PATH", "AMQP_URL", "DATABASE_URL", "SSL_CERT_FILE")
        return {name: self.environment[name] for name in names if name in self.environment} | {
            "JOBS_QUEUE": queue, "EVENTS_EXCHANGE": f"{self.name}.events", "PGCONNECT_TIMEOUT": "30"}

    def start(self) -> subprocess.Popen:
        """Starts one worker."""
        return self.launch([PROGRAM, "run"], self.environment)

    def launch(self, command: list, environment: dict[str, str], **options) -> subprocess.Popen:
        """Starts a process that ends with the measurement."""
        with self._log(len(self.processes)).open("ab") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command], env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, **options)
        self.processes.append(process)
        return process

    def depth(self, queue: str) -> int:
        """How many messages are ready in a queue."""
        return messages_in(self.channel, queue)

    def consumers(self, queue: str) -> int:
        return consumers_of(self.channel, queue)

    def keep_alive(self) -> None:
        """Lets the connection of the observer do what is due."""
        self.connection.process_data_events(0)

    def events(self) -> int:
        """How many events have arrived where a subscriber would take them."""
        self.check()
        return self.depth(self.event_queue)

    def check(self) -> None:
        """Fails when a process that should run has ended."""
        for number, process in enumerate(self.processes):
            if process.poll() is not None:
                raise RuntimeError(f"a worker ended with {process.returncode}: {self.log(number)[-2000:]}")

    def log(self, number: int = 0) -> str:
        """What a process has logged, by its place in the order of their starts."""
        return self._log(number).read_text(errors="replace")

    def _log(self, number: int) -> pathlib.Path:
        return PLACE / f"bench-{self.name}-{number}.log"

    def rows(self, statement: str, *parameters) -> list[tuple]:
        return query(self.database, statement, *parameters)

    def stop(self) -> None:
        """Ends the workers in order, or by force."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def close(self) -> None:
        self.stop()
        connection = pika.BlockingConnection(patient_parameters(broker_url()))
        channel = connection.channel()
        for queue in self.queues:
            # Celery and Dramatiq add to their names.
            for end in ("", ".DQ", ".XQ"):
                channel.queue_delete(queue + end)
            channel.exchange_delete(queue)
        delete_topology(channel, self.name)
        connection.close()
        with contextlib.suppress(pika.exceptions.AMQPError):
            self.connection.close()
        drop_database(self.name, server_url())


@contextlib.contextmanager
def site(way: Way = STRAIGHT, **settings: str) -> Iterator[Site]:
    """A site for the length of a block."""
    place = Site(way, **settings)
    try:
        yield place
    finally:
        place.close()


def versions() -> dict[str, str]:
    """What was measured, and on what."""
    (postgres,), = query(server_url(), "SHOW server_version")
    rabbitmq = management("overview")["rabbitmq_version"]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {
        "postgresql": postgres.split()[0], "rabbitmq": rabbitmq, "commit": commit, "cores": str(os.cpu_count()),
        "processor": model.group(1) if model else "unknown", "kernel": os.uname().release,
    }
