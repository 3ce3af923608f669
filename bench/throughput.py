"""Part 1: jobs a second with a full queue, beside PostgreSQL alone and beside Celery."""

import json
import sys

from bench import celery_baseline
from bench.figures import Figure, Row, at_least, at_most
from bench.options import Options, say
from bench.producer import disks, publish
from bench.resource_usage import Run, peak_memory, steady, watch
from bench.site import site
from bench.statements import DISK, IDENTITY, USER, Statement, pgbench, recorded
from harness.broker import broker_url
from harness.repository import ROOT
from harness.waiting import eventually

CLIENTS = 16
CELERY_PROCESSES = 4

LIMIT = "PostgreSQL alone, one round trip"
NAMES = {
    LIMIT: "pgbench runs the statements of a job in one pipeline, 16 clients: what the database can take, no broker",
    "PostgreSQL alone, five round trips":
        "pgbench, the same as BEGIN, three INSERTs, COMMIT: how a usual client does it",
    "one worker": "this program, one process: from the queue to the event that a subscriber can take",
    "two workers": "two processes on one queue, counted together",
    "Celery": f"{CELERY_PROCESSES} prefork processes, acks_late, quorum queue, the same INSERTs; confirms after commit",
}


def measure(options: Options) -> list[Row]:
    statements = recorded()
    rates: dict[str, list[float]] = {name: [] for name in NAMES}
    runs: dict[str, list[Run]] = {"one worker": [], "two workers": [], "Celery": []}
    for number in range(options.rounds):
        say(f"throughput, round {number + 1} of {options.rounds}")
        rates[LIMIT].append(pgbench(statements, 1, CLIENTS, options.seconds).rate)
        runs["one worker"].append(workers(1, options.jobs))
        rates["PostgreSQL alone, five round trips"].append(pgbench(statements, 5, CLIENTS, options.seconds).rate)
        runs["two workers"].append(workers(2, options.jobs))
        runs["Celery"].append(celery(statements, max(options.jobs // 8, 800)))
        for name, taken in runs.items():
            rates[name].append(taken[-1].rate)
    return [_row(name, rates, runs.get(name)) for name in NAMES]


def workers(count: int, jobs: int) -> Run:
    """A queue full of jobs, then so many workers, until the last event is there."""
    with site() as place:
        publish(disks(place.name, jobs), place.keep_alive)
        eventually("the jobs are in the queue", lambda: place.depth(f"{place.name}.disks") == jobs)
        processes = [place.start().pid for _ in range(count)]
        samples = watch(place.events, jobs, processes, patience=30)
        run = steady(samples, peak_memory(processes))
        _check(place, jobs)
        return run


def celery(statements: list[Statement], jobs: int) -> Run:
    """The same for Celery."""
    with site() as place:
        place.channel.exchange_declare(f"{place.name}.celery", durable=True)
        place.channel.queue_declare(f"{place.name}.celery", durable=True, arguments={"x-queue-type": "quorum"})
        place.channel.queue_bind(f"{place.name}.celery", f"{place.name}.celery", "celery")
        publish((celery_baseline.message(place.name, number) for number in range(jobs)), place.keep_alive)
        environment = {
            "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "BENCH_NAME": place.name, "BENCH_BROKER": broker_url(),
            "BENCH_DATABASE": place.database, "BENCH_STATEMENTS": json.dumps(_placeholders(statements)),
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore", "C_FORCE_ROOT": "1",
        }
        worker = place.launch(
            [sys.executable, "-m", "celery", "--app=bench.celery_baseline", "worker", f"--concurrency={CELERY_PROCESSES}",
             "--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"], environment,
            cwd="/tmp")
        samples = watch(place.events, jobs, [worker.pid], patience=60)
        run = steady(samples, peak_memory([worker.pid]))
        rows = place.rows("SELECT (SELECT count(*) FROM job_ledger), (SELECT count(*) FROM disks)")[0]
        if rows != (jobs, jobs):
            raise RuntimeError(f"Celery left {rows} rows of {jobs} jobs")
        return run


def _placeholders(statements: list[Statement]) -> list[tuple[str, list]]:
    """The recorded statements with the values of the recorded job named, for the task to put its own in."""
    names = {
        f"'{IDENTITY}'": "@job", f"'{USER}'": "@user", f"'{DISK}'": "@disk", f"'{IDENTITY}.completed'": "@event",
    }

    def value(literal: str):
        if literal == "NULL":
            return None
        return "@body" if literal.startswith("'\\x") else names.get(literal, literal[1:-1].replace("''", "'"))

    return [(statement.text, [value(literal) for literal in statement.values]) for statement in statements]


def _check(place, jobs: int) -> None:
    """Every job happened once, and nothing is left over."""
    eventually("the outbox is empty", lambda: place.rows("SELECT count(*) FROM outbox")[0][0] == 0)
    found = place.rows(
        "SELECT count(*) FILTER (WHERE state = 'succeeded' AND attempts = 1), count(*) FROM job_ledger")[0]
    if found != (jobs, jobs) or place.events() != jobs:
        raise RuntimeError(f"{jobs} jobs, but the ledger has {found} and the queue {place.events()} events")


def _row(name: str, rates: dict[str, list[float]], runs: list[Run] | None) -> Row:
    rate = Figure.of(rates[name])
    of_limit = Figure.of([rate / limit for rate, limit in zip(rates[name], rates[LIMIT])])
    if not runs:
        return Row("throughput", name, NAMES[name], "jobs/s", rate, of_limit, "of limit")
    cpu, machine, memory = (
        Figure.of([getattr(run, what) for run in runs]) for what in ("worker_cpu", "machine_cpu", "memory"))
    more, target = {}, {}
    if name == "one worker":
        times = Figure.of([mine / theirs for mine, theirs in zip(rates[name], rates["Celery"])])
        targets = [at_least(of_limit, 0.55, "of limit"), at_least(times, 8, "× Celery"), at_most(cpu, 0.09, "CPU s"),
                   at_most(memory, 30, "MiB")]
        more = {"times_celery": times.median, "times_celery_spread": [times.least, times.greatest]}
        target = _together(targets)
    if name == "two workers":
        times = Figure.of([two / one for two, one in zip(rates[name], rates["one worker"])])
        more = {"times_one_worker": times.median, "times_one_worker_spread": [times.least, times.greatest]}
        target = _together([at_least(times, 0.95, "× one worker")])
    return Row(
        "throughput", name, NAMES[name], "jobs/s", rate, of_limit, "of limit", cpu, machine, memory, **target,
        more=more)


def _together(targets: list[dict]) -> dict:
    """Several targets in one cell, each with its own mark."""
    marked = [f"{'✓' if target['is_met'] else '✗'} {target['target']}" for target in targets]
    return {"target": ", ".join(marked), "is_met": all(target["is_met"] for target in targets)}
