"""What a job costs, counted and never timed: a change that makes jobs dearer fails here and not in production.

Each figure is the difference of two runs divided by the difference of their jobs, so that what start and end cost
is not in it. The jobs wait in the queue before the worker starts. Batches differ from run to run, and so the figures
have a band: a step beyond it, in either direction, deserves a look and a new figure here.
"""

import collections
import functools
import os
import pathlib
import re
import signal
import subprocess

import pytest
from link import Link
from meters import AMQPMeter, PostgresMeter
from system import PROGRAM, eventually

FEW, MANY = 100, 600
HERE = pathlib.Path(__file__).parent


def run(system, jobs: int, prefix: tuple = (), **settings) -> None:
    """Works through so many jobs in a process of its own, which then ends in order."""
    system.rows("TRUNCATE job_ledger, job_attempts, disks")
    for number in range(jobs):
        system.publish("disk.create", {"user_id": "alice", "disk_name": f"d{number}"})
    log = system.directory / "worker.log"
    environment = system.environment | {"LOG_LEVEL": "info", "WORKER_CONCURRENCY": "16"} | settings
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*prefix, PROGRAM, "run"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        eventually("the jobs are done", lambda: system.value("SELECT count(*) FROM job_ledger") == jobs, 60)
        eventually("the events are out", lambda: system.value("SELECT count(*) FROM outbox") == 0, 60)
        worker = process.pid
        if prefix:
            worker = int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        os.kill(worker, signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()


def per_job(measure) -> float:
    few, many = measure(FEW), measure(MANY)
    return (many - few) / (MANY - FEW)


@functools.cache
def counter_library(place: str) -> str:
    library = f"{place}/allocations.so"
    subprocess.run(["clang", "-shared", "-fPIC", "-O2", "-o", library, HERE / "allocations.c"], check=True)
    return library


def test_allocations(system, tmp_path):
    library = counter_library(str(tmp_path))

    def allocations(jobs: int) -> int:
        told = tmp_path / f"allocations-{jobs}"
        run(system, jobs, LD_PRELOAD=library, ALLOCATIONS_FILE=str(told))
        return int(told.read_text())

    assert per_job(allocations) == pytest.approx(430, rel=0.2)


def test_system_calls(system, tmp_path):
    def calls(jobs: int) -> int:
        summary = tmp_path / f"calls-{jobs}"
        run(system, jobs, ("strace", "--follow-forks", "--summary-only", "--quiet=all", f"--output={summary}"))
        total, = re.findall(r"^100\.00 +\S+ +\S+ +(\d+) .*total$", summary.read_text(), re.MULTILINE)
        return int(total)

    assert per_job(calls) == pytest.approx(12, rel=0.4)


def metered(system, setting: str, meter) -> collections.Counter:
    """Counts by job of what passes over the connections that a setting leads to."""
    counts = []
    for jobs in (FEW, MANY):
        passed = collections.Counter()
        link = Link.before(system.environment[setting], meter=lambda passed=passed: meter(passed))
        run(system, jobs, **{setting: link.url})
        link.close()
        counts.append(passed)
    few, many = counts
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many}


def test_statements_and_round_trips(system):
    messages = metered(system, "DATABASE_URL", PostgresMeter)
    assert messages["E"] == pytest.approx(3.2, abs=0.35), messages
    assert messages["S"] == pytest.approx(1.15, abs=0.25), messages


def test_frames(system):
    frames = metered(system, "AMQP_URL", AMQPMeter)
    assert frames["sent"] == pytest.approx(3.5, abs=0.5), frames
    assert frames["received"] == pytest.approx(3.4, abs=0.4), frames
