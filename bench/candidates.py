"""The workers that are measured beside each other: how each is started, what it is given, and what it must leave behind."""

import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from bench import celery_baseline, dramatiq_baseline, programs
from bench.names import CELERY, C_ONE, C_TWO, DRAMATIQ, GO, ONE, TWO
from bench.options import Options, say
from bench.producer import Message, disks
from bench.site import Site
from harness.repository import ROOT
from harness.waiting import eventually

PYTHON_PROCESSES, PYTHON_THREADS = 4, 8


class Candidate(NamedTuple):
    """One worker; `statements` are what the job's transaction is made of, by names of settings."""

    name: str
    meaning: str
    start: Callable[[Site, dict[str, str]], None]
    message: Callable[[str, int], Message] | None = None
    """The message of one job in a queue of its own, by the queue and the number; nothing if it takes the worker's own."""
    program: Callable[[], object] = lambda: None
    """Builds what is started; raises `Missing`."""
    has_tls: bool = True

    def jobs(self, options: Options) -> int:
        """How many jobs it gets: slow ones fewer, for a run of about the same length."""
        return max(options.jobs // 8, 800) if self.message else options.jobs

    def queue(self, place: Site) -> str:
        return f"{place.name}.{'own' if self.message else 'disks'}"

    def fill(self, place: Site, jobs: int) -> Iterable[Message]:
        if not self.message:
            return disks(place.name, jobs)
        place.declare_queue("own")
        return (self.message(self.queue(place), number) for number in range(jobs))

    def check(self, place: Site, jobs: int) -> None:
        """Each job happened once; where there is a relay nothing is left over."""
        rows = place.rows(
            "SELECT (SELECT count(*) FROM job_ledger WHERE state = 'succeeded' AND attempts = 1),"
            " (SELECT count(*) FROM job_ledger), (SELECT count(*) FROM disks)")[0]
        if rows != (jobs, jobs, jobs):
            raise RuntimeError(f"{self.name} left {rows} rows of {jobs} jobs")
        if self.message:
            return
        eventually("the outbox is empty", lambda: place.rows("SELECT count(*) FROM outbox")[0][0] == 0)
        if (events := place.events()) != jobs:
            raise RuntimeError(f"{self.name} published {events} events of {jobs} jobs")


def workers(count: int) -> Callable[[Site, dict[str, str]], None]:
    """Starts so many processes of this program."""

    def start(place: Site, _statements: dict[str, str]) -> None:
        for _ in range(count):
            place.start()

    return start


def yardstick(program: Callable[[], object], *arguments: str) -> Callable[[Site, dict[str, str]], None]:
    """Starts one of the programs that do the same job from the same queue."""

    def start(place: Site, statements: dict[str, str]) -> None:
        place.launch([program(), *arguments], place.guest_environment(f"{place.name}.disks") | statements)

    return start


def python_worker(*command: str) -> Callable[[Site, dict[str, str]], None]:
    """Starts a Python module that works on a queue of its own."""

    def start(place: Site, statements: dict[str, str]) -> None:
        environment = place.guest_environment(f"{place.name}.own") | statements | {
            "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore", "C_FORCE_ROOT": "1"}
        place.launch([sys.executable, "-m", *command], environment, cwd="/tmp")

    return start


CANDIDATES = (
    Candidate(ONE, "this program, one process: from the queue to the event that a subscriber can take", workers(1)),
    Candidate(TWO, "two processes on one queue, counted together", workers(2)),
    Candidate(
        C_ONE, "epoll, libpq in pipeline mode, librabbitmq: the job's transaction in one round trip, 16 connections",
        yardstick(programs.c_worker, "1"), program=programs.c_worker, has_tls=False),
    Candidate(
        C_TWO, "the same with two round trips, as a handler needs that looks at something first",
        yardstick(programs.c_worker, "2"), program=programs.c_worker, has_tls=False),
    Candidate(
        GO, "amqp091-go and pgx, 16 connections, 128 goroutines: the transaction in one round trip",
        yardstick(programs.go_worker), program=programs.go_worker),
    Candidate(
        DRAMATIQ, f"2 processes with {PYTHON_THREADS} threads each, quorum queue, the same INSERTs; confirms after commit",
        python_worker(
            "dramatiq", "bench.dramatiq_baseline", "--processes=2", f"--threads={PYTHON_THREADS}", "--skip-logging"),
        dramatiq_baseline.message),
    Candidate(
        CELERY,
        f"{PYTHON_PROCESSES} prefork processes, acks_late, quorum queue, the same INSERTs; confirms after commit",
        python_worker(
            "celery", "--app=bench.celery_baseline", "worker", f"--concurrency={PYTHON_PROCESSES}", "--loglevel=WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat"),
        celery_baseline.message),
)


def available(options: Options) -> list[Candidate]:
    """Those that can be started here, built; what is missing for the others is said."""
    found = []
    for candidate in CANDIDATES:
        # How the job does elsewhere is asked of those that do all of it.
        if options.condition and (candidate.message or candidate.name in (TWO, C_ONE) or options.tls and not candidate.has_tls):
            continue
        try:
            candidate.program()
        except programs.Missing as missing:
            say(f"left out: {candidate.name}. {missing}")
            continue
        found.append(candidate)
    return found
