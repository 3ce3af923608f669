"""What a job costs, counted and never timed: a change that makes jobs dearer fails here and not in production.

Each figure is the difference of two runs divided by the difference of their jobs, so that what start and end cost
is not in it. The jobs wait in the queue before the worker starts. Batches differ from run to run, and so the figures
have a band: a step beyond it, in either direction, deserves a look and a new figure here. A worker that waits for a
core makes smaller batches, which cost more and never less: a figure above its band is measured again.
"""

import collections
import functools
import os
import pathlib
import re
import signal
import subprocess

import pytest

from EndToEnd.costs.meters import AMQPMeter, PostgresMeter
from harness.machine import scaled
from harness.network.fault_proxy import FaultProxy
from harness.program import start_worker
from harness.waiting import eventually

FEW, MANY = 100, 600
HERE = pathlib.Path(__file__).parent


def run(system, jobs: int, prefix: tuple = (), **settings) -> None:
    """Works through so many jobs in a process of its own, which then ends in order."""
    system.rows("TRUNCATE job_ledger, job_attempts, disks")
    for number in range(jobs):
        system.publish("disk.create", {"user_id": "alice", "disk_name": f"d{number}"})
    log = system.directory / "worker.log"
    # The one queue has all the slots.
    lane = {"WORKER_CONCURRENCY": "16", "WORKER_QUEUES": "disks"}
    environment = system.environment | {"LOG_LEVEL": "info"} | lane | settings
    process = start_worker(environment, log, prefix)
    try:
        eventually("the jobs are done", lambda: system.value("SELECT count(*) FROM job_ledger") == jobs, 60)
        eventually("the events are out", lambda: system.value("SELECT count(*) FROM outbox") == 0, 60)
        worker = process.pid
        if prefix:
            worker = int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        os.kill(worker, signal.SIGTERM)
        assert process.wait(scaled(30)) == 0, log.read_text()
    finally:
        process.kill()


def per_job(measure) -> float:
    few, many = measure(FEW), measure(MANY)
    return (many - few) / (MANY - FEW)


def settles_at(expected, measure) -> bool:
    """Whether one of a few measurements is as expected, `pytest.approx` or several of them by name."""
    seen = []
    while len(seen) < 5:
        seen.append(measure())
        if seen[-1] == expected:
            return True
    print("measured:", *seen, sep="\n")
    return False


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

    assert settles_at(pytest.approx(405, rel=0.15), lambda: per_job(allocations))


def test_system_calls(system, tmp_path):
    def calls(jobs: int) -> int:
        summary = tmp_path / f"calls-{jobs}"
        run(system, jobs, ("strace", "--follow-forks", "--summary-only", "--quiet=all", f"--output={summary}"))
        total, = re.findall(r"^100\.00 +\S+ +\S+ +(\d+) .*total$", summary.read_text(), re.MULTILINE)
        return int(total)

    assert settles_at(pytest.approx(12, rel=0.4), lambda: per_job(calls))


def metered(system, setting: str, meter) -> collections.Counter:
    """Counts by job of what passes over the connections that a setting leads to."""
    counts = []
    for jobs in (FEW, MANY):
        passed = collections.Counter()
        proxy = FaultProxy.before(system.environment[setting], meter=lambda passed=passed: meter(passed))
        run(system, jobs, **{setting: proxy.url})
        proxy.close()
        counts.append(passed)
    few, many = counts
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many}


def picked(counts: collections.Counter, names) -> dict:
    return {name: counts[name] for name in names}


def test_statements_and_round_trips(system):
    expected = {"E": pytest.approx(3.2, abs=0.35), "S": pytest.approx(0.48, abs=0.25)}
    assert settles_at(expected, lambda: picked(metered(system, "DATABASE_URL", PostgresMeter), expected))


def test_frames(system):
    expected = {"sent": pytest.approx(3.5, abs=0.5), "received": pytest.approx(3.4, abs=0.4)}
    assert settles_at(expected, lambda: picked(metered(system, "AMQP_URL", AMQPMeter), expected))
