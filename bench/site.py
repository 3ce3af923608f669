"""What one measurement has to itself: a database, exchanges and queues, and the workers that it starts."""

import contextlib
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator

import pika
import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / ".local/bench"
PROGRAM = pathlib.Path(os.environ.get("GPUDEV_BENCH_PROGRAM", ROOT / ".build/release/gpudev-worker"))
ADMIN = os.environ.get("GPUDEV_TEST_DATABASE_URL", "")
BROKER = os.environ.get("GPUDEV_TEST_AMQP_URL", "")
TEMPLATE = "bench_template"

# What PostgreSQL must be set to, or the figures would be about something that nobody runs.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


def eventually(what: str, condition: Callable[[], object], seconds: float = 30):
    """Returns the first true value of the condition; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise RuntimeError(f"waited {seconds:.0f} s in vain: {what}")


def administer(*statements: str) -> None:
    with psycopg.connect(ADMIN, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def database_url(name: str) -> str:
    return ADMIN.rpartition("/")[0] + "/" + name


def prepare_template() -> None:
    """Checks the settings and makes the migrated database that every measurement gets a copy of."""
    with psycopg.connect(ADMIN, autocommit=True) as connection:
        for name, wanted in DURABLE.items():
            found = connection.execute(f"SHOW {name}").fetchone()[0]
            if found != wanted:
                raise RuntimeError(f"PostgreSQL's {name} is {found}, and must be {wanted}")
    administer(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)", f"CREATE DATABASE {TEMPLATE}")
    call({"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url(TEMPLATE)}, "migrate")


def call(environment: dict[str, str], *arguments: str) -> str:
    """Runs one command of the program that must succeed, and returns its standard output."""
    result = subprocess.run(
        [PROGRAM, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False)
    if result.returncode != 0:
        raise RuntimeError(f"gpudev-worker {' '.join(arguments)}: {result.stdout}{result.stderr}")
    return result.stdout.strip()


class Site:
    """Everything under one name, gone when the measurement is over."""

    def __init__(self, **settings: str) -> None:
        self.name = f"b{uuid.uuid4().hex[:10]}"
        self.event_queue = f"{self.name}.observed"
        self.processes: list[subprocess.Popen] = []
        self.database = database_url(self.name)
        administer(f'CREATE DATABASE "{self.name}" TEMPLATE {TEMPLATE}', "CHECKPOINT")
        self.environment = {
            "PATH": "/usr/bin:/bin", "AMQP_URL": BROKER, "DATABASE_URL": self.database, "TOPOLOGY_PREFIX": self.name,
            "AWS_REGION": "us-east-2", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "LOG_FORMAT": "json", "HTTP_PORT": "0", **settings,
        }
        call(self.environment, "topology", "declare")
        self.connection = pika.BlockingConnection(parameters())
        self.channel = self.connection.channel()
        self.channel.queue_declare(self.event_queue, durable=True, arguments={"x-queue-type": "quorum"})
        self.channel.queue_bind(self.event_queue, f"{self.name}.events", "#")

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
        return self.channel.queue_declare(queue, passive=True).method.message_count

    def consumers(self, queue: str) -> int:
        return self.channel.queue_declare(queue, passive=True).method.consumer_count

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

    def rows(self, query: str, *parameters) -> list[tuple]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

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
        connection = pika.BlockingConnection(parameters())
        channel = connection.channel()
        for family in ("disks", "reservations", "capacity"):
            channel.queue_delete(f"{self.name}.{family}")
            channel.queue_delete(f"{self.name}.{family}.dead")
        for queue in ("observed", "events.log", "celery"):
            channel.queue_delete(f"{self.name}.{queue}")
        for exchange in ("jobs", "events", "dead", "celery"):
            channel.exchange_delete(f"{self.name}.{exchange}")
        connection.close()
        with contextlib.suppress(pika.exceptions.AMQPError):
            self.connection.close()
        administer(f'DROP DATABASE "{self.name}" WITH (FORCE)')


@contextlib.contextmanager
def site(**settings: str) -> Iterator[Site]:
    """A site for the length of a block."""
    place = Site(**settings)
    try:
        yield place
    finally:
        place.close()


def free_port() -> int:
    """A port below those that the kernel hands to clients."""
    while True:
        port = random.randrange(15000, 30000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def parameters() -> pika.URLParameters:
    """How to reach the broker; without heartbeats, which a busy observer might miss."""
    return pika.URLParameters(BROKER + "?heartbeat=0")


def versions() -> dict[str, str]:
    """What was measured, and on what."""
    with psycopg.connect(ADMIN) as connection:
        postgres = connection.execute("SHOW server_version").fetchone()[0]
    api = urllib.request.Request(os.environ["GPUDEV_TEST_RABBITMQ_API"] + "/api/overview")
    api.add_header("Authorization", "Basic Z3Vlc3Q6Z3Vlc3Q=")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(api, timeout=10) as answer:
        rabbitmq = json.load(answer)["rabbitmq_version"]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {
        "postgresql": postgres.split()[0], "rabbitmq": rabbitmq, "commit": commit, "cores": str(os.cpu_count()),
        "processor": model.group(1) if model else "unknown", "kernel": os.uname().release,
    }
