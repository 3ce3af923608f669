"""Part 7, on demand: whether ten million jobs in the ledger slow down what is asked of it."""

import time
import uuid

from bench.figures import Figure, Row, at_least, at_most, number
from bench.options import Options, say
from bench.producer import by_time, disks, publish
from bench.resource_usage import resident_memory, steady, watch
from bench.site import Site, site
from harness.program import call_program
from harness.waiting import eventually

ROWS, SHORT_ROWS = 10_000_000, 200_000
STRETCH, SHORT_STRETCH = 15_000, 3_000
OLD = 0.1
"""How many rows are older than the ledger remembers, for each that is not."""

# As they would have come in time: the ids by chance, as most producers choose them, one of a thousand dead.
FILL = """
    ALTER TABLE job_ledger DROP CONSTRAINT job_ledger_pkey CASCADE;
    INSERT INTO job_ledger (job_id, kind, state, attempts, starts, deaths, worker, created_at, finished_at)
        SELECT gen_random_uuid(), 'disk.create', CASE mod(n, 1000) WHEN 0 THEN 'dead' ELSE 'succeeded' END, 1, 1,
            (mod(n, 1000) = 0)::integer, 'worker-7d9c8b5f4-x2x8k/1', moment, moment + interval '1 second'
        FROM (SELECT n, now() - interval '14 days' * (1 + {old} - n * (1 + {old}) / {rows}) AS moment
            FROM generate_series(1, {rows}) AS n) AS jobs;
    ALTER TABLE job_ledger ADD PRIMARY KEY (job_id);
    ALTER TABLE job_attempts ADD FOREIGN KEY (job_id) REFERENCES job_ledger ON DELETE CASCADE;
"""
LISTS = {
    "jobs list": ["jobs", "list"],
    "jobs list --state dead": ["jobs", "list", "--state", "dead"],
    "jobs list --state running": ["jobs", "list", "--state", "running"],
}


def measure(options: Options) -> list[Row]:
    is_short = options.rounds == 1
    rows, stretch = (SHORT_ROWS, SHORT_STRETCH) if is_short else (ROWS, STRETCH)
    # Nothing is forgotten before it is measured how fast that is.
    with site() as small, site(LEDGER_RETENTION="3650d") as large:
        say(f"large ledger: {rows:,} rows")
        _fill(large, rows)
        rates: dict[str, list[float]] = {"small": [], "by chance": [], "by time": []}
        lists: dict[str, list[tuple[float, float]]] = {name: [] for name in LISTS}
        starts: list[tuple[float, float]] = []
        for position in range(options.rounds):
            say(f"large ledger, round {position + 1} of {options.rounds}")
            rates["small"].append(_rate(small, stretch, lambda: str(uuid.uuid4())))
            rates["by time"].append(_rate(large, stretch, by_time))
            rates["by chance"].append(_rate(large, stretch, lambda: str(uuid.uuid4())))
            for name, command in LISTS.items():
                lists[name].append((_seconds(small, command), _seconds(large, command)))
            starts.append((_start(small), _start(large)))
        large.environment["LEDGER_RETENTION"] = "14d"
        forgotten, busy = _prune(large, int(rows * OLD / (1 + OLD)), stretch)
    return [
        *(_rate_row(f"jobs with {rows:,} in the ledger, ids {which}", rates[which], rates["small"])
          for which in ("by time", "by chance")),
        *(_time_row(name, taken) for name, taken in lists.items()),
        _time_row("start", starts),
        Row("large-ledger", "jobs forgotten", f"of {rows:,}, while {number(busy)} others are done a second", "rows/s",
            Figure.of([forgotten]), Figure.of([forgotten / busy]), "× the jobs meanwhile",
            **at_least(Figure.of([forgotten / busy]), 1, "× the jobs")),
    ]


def _rate_row(name: str, rates: list[float], small: list[float]) -> Row:
    ratio = Figure.of([large / little for large, little in zip(rates, small)])
    return Row("large-ledger", name, "one worker, a full queue, beside the same with an empty ledger", "jobs/s",
               Figure.of(rates), ratio, "× an empty one", **at_least(ratio, 0.95, "× an empty one"))


def _time_row(name: str, taken: list[tuple[float, float]]) -> Row:
    ratio = Figure.of([large / small for small, large in taken])
    return Row("large-ledger", f"{name}, the same ledger", "the whole command, beside the same with a small ledger", "s",
               Figure.of([large for _, large in taken]), ratio, "× a small one", **at_most(ratio, 2, "× a small one"))


def _fill(place: Site, rows: int) -> None:
    place.rows(FILL.format(rows=rows, old=OLD))
    place.rows("VACUUM ANALYZE job_ledger")


def _rate(place: Site, count: int, identity) -> float:
    """Jobs a second of a worker that finds all of them in its queue."""
    begun = place.rows("SELECT count(*) FROM disks")[0][0]
    publish(disks(place.name, count, begun, identity), place.keep_alive)
    eventually("the jobs are in the queue", lambda: place.depth(f"{place.name}.disks") == count)
    place.channel.queue_purge(place.event_queue)
    worker = place.start().pid
    samples = watch(place.events, count, [worker], patience=60)
    rate = steady(samples, resident_memory(worker)).rate
    place.stop()
    return rate


def _seconds(place: Site, command: list[str]) -> float:
    start = time.monotonic()
    call_program(command, place.environment)
    return time.monotonic() - start


def _start(place: Site) -> float:
    """From the start of a worker to its readiness."""
    start = time.monotonic()
    place.start()
    eventually("the worker consumes", lambda: place.consumers(f"{place.name}.disks") == 1)
    seconds = time.monotonic() - start
    place.stop()
    return seconds


def _prune(place: Site, old: int, count: int) -> tuple[float, float]:
    """Jobs that a worker forgets a second, and jobs that it does a second meanwhile."""
    def forgotten() -> int:
        place.check()
        return place.rows("SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'job_ledger'")[0][0]

    begun, before = place.rows("SELECT count(*) FROM disks")[0][0], forgotten()
    publish(disks(place.name, count, begun), place.keep_alive)
    place.start()
    eventually("the first jobs are forgotten", lambda: forgotten() > before, 60)
    start, first, done = time.monotonic(), forgotten(), place.depth(f"{place.name}.disks")
    publish(disks(place.name, count, begun + count), place.keep_alive)
    eventually("all old jobs are forgotten", lambda: forgotten() - before >= old * 0.99, 600)
    seconds = time.monotonic() - start
    jobs = done + count - place.depth(f"{place.name}.disks")
    return (forgotten() - first) / seconds, jobs / seconds
