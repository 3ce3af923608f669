"""Part 8, on demand: whether a transaction that is open for half an hour slows down the jobs meanwhile."""

import contextlib
import subprocess
from collections.abc import Iterator

from bench.figures import Figure, Row, at_most, number
from bench.latency import RATE, WARM_UP, latencies, quantile
from bench.options import Options, say
from bench.producer import disks, publish
from bench.resource_usage import watch
from bench.site import Site, site
from bench.statements import program
from harness.waiting import eventually

JOBS, SHORT_JOBS = RATE * 1800, 4_000
"""As many as half an hour brings; they are done as fast as they can be."""


def measure(options: Options) -> list[Row]:
    is_short = options.rounds == 1
    seconds = 5 if is_short else 20
    with site() as place:
        place.rows("CREATE TABLE dumped AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 100000) AS n")
        worker = place.start().pid
        eventually("the worker consumes", lambda: place.consumers(f"{place.name}.disks") == 1)
        say("long snapshot: before it")
        before = _tail(place, seconds)
        with _dump(place):
            say("long snapshot: the jobs of half an hour")
            jobs = SHORT_JOBS if is_short else JOBS
            place.channel.queue_purge(place.event_queue)
            publish(disks(place.name, jobs), place.keep_alive)
            watch(place.events, jobs, [worker], patience=60)
            kept = place.rows("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'outbox'")[0][0]
            during = _tail(place, seconds)
            eventually("the outbox is empty", lambda: place.rows("SELECT count(*) FROM outbox")[0][0] == 0)
            backlog = place.depth(f"{place.name}.disks")
        if backlog:
            raise RuntimeError(f"{backlog} jobs are left in the queue")
    ratio = Figure.of([during[1] / before[1]])
    return [
        Row("long-snapshot", "p99 under a long snapshot",
            f"{RATE} jobs/s while pg_dump of another table holds a snapshot that {jobs:,} jobs are younger than"
            f" ({kept:,} dead rows in the outbox); before it {number(before[1])} ms, medians {number(before[0])} and"
            f" {number(during[0])} ms", "ms", Figure.of([during[1]]), ratio, "× before it",
            **at_most(ratio, 1.2, "× before it"),
            more={"p50_before": before[0], "p99_before": before[1], "p50": during[0], "dead_rows": kept}),
    ]


def _tail(place: Site, seconds: int) -> tuple[float, float]:
    """The median and the 99th hundredth of the latencies, in milliseconds."""
    place.channel.queue_purge(place.event_queue)
    values, _ = latencies(place, WARM_UP + RATE * seconds)
    return quantile(values, 0.5), quantile(values, 0.99)


@contextlib.contextmanager
def _dump(place: Site) -> Iterator[None]:
    """A dump of a table that nobody takes the output of."""
    command = [program("pg_dump"), "--table=dumped", place.database]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as dump:
        try:
            eventually("the dump holds its snapshot", lambda: place.rows(
                "SELECT FROM pg_stat_activity WHERE application_name = 'pg_dump' AND query LIKE 'COPY%%'"))
            yield
            if dump.poll() is not None:
                raise RuntimeError("pg_dump ended before its time")
        finally:
            dump.kill()
