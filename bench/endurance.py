"""Part 4, on demand: whether a million jobs leave the worker as it was, and whether they are forgotten in time."""

import time

from bench.figures import Figure, Row, number
from bench.options import Options, say
from bench.producer import disks, publish
from bench.resource_usage import resident_memory, steady, watch
from bench.site import Site, site
from harness.waiting import eventually

MILLION, STRETCH = 1_000_000, 100_000
SHORT_MILLION, SHORT_STRETCH = 20_000, 4_000


def measure(options: Options) -> list[Row]:
    total, stretch = (MILLION, STRETCH) if options.rounds > 1 else (SHORT_MILLION, SHORT_STRETCH)
    with site() as place:
        # Nobody takes the events: the queue keeps the newest only.
        place.channel.queue_delete(place.event_queue)
        place.channel.queue_declare(
            place.event_queue, durable=True, arguments={"x-queue-type": "quorum", "x-max-length": 1000})
        place.channel.queue_bind(place.event_queue, f"{place.name}.events", "#")
        worker = place.start().pid
        # Without a cloud what goes on by itself would fail, and be counted.
        eventually("the schedules are there", lambda: place.rows(
            "UPDATE job_schedules SET is_enabled = false RETURNING kind"))
        first, early = _stretch(place, worker, 0, stretch)
        while (done := _recorded(place)) < total:
            say(f"long run: {done:,} of {total:,} jobs")
            publish(disks(place.name, stretch, first=done), place.keep_alive)
            watch(lambda: _recorded(place), done + stretch, [worker], patience=60)
        last, late = _stretch(place, worker, total, stretch)
        eventually("the outbox is empty", lambda: place.rows("SELECT count(*) FROM outbox")[0][0] == 0)
        sizes = dict(place.rows(
            "SELECT relname, pg_total_relation_size(oid) / 1048576.0 FROM pg_class"
            " WHERE relname IN ('outbox', 'job_ledger')"))
        ledger = place.rows("SELECT count(*) FROM job_ledger WHERE state = 'succeeded'")[0][0]
        pruned, busy = _prune(place, ledger, stretch)
    if ledger != total + stretch:
        raise RuntimeError(f"the ledger has {ledger} of {total + stretch} jobs")
    ratio = last / first
    sizes = {name: float(size) for name, size in sizes.items()}
    return [
        Row("endurance", f"rate after {total:,} jobs", "by one process, with all rows still there", "jobs/s",
            Figure.of([last]), Figure.of([ratio]), f"× the first {stretch:,}",
            target=f"{'✓' if ratio >= 0.9 else '✗'} ≥ 0.9 × the first", is_met=ratio >= 0.9, more={"first": first}),
        Row("endurance", "memory at the end", f"{number(early)} MiB after the first {stretch:,} jobs", "MiB",
            Figure.of([late]), Figure.of([late / early]), "× then", more={"early": early}),
        Row("endurance", "outbox, empty again",
            f"size on disk; the ledger of all jobs has {number(sizes['job_ledger'])} MiB", "MiB",
            Figure.of([sizes["outbox"]]), more=sizes | {"jobs": ledger}),
        Row("endurance", "ledger rows forgotten", f"of {ledger:,} that are too old, while {number(busy)} jobs/s are done",
            "rows/s", Figure.of([pruned]), Figure.of([pruned / busy]), "× the jobs meanwhile",
            target=f"{'✓' if pruned >= busy else '✗'} ≥ the jobs", is_met=pruned >= busy, more={"jobs": busy}),
    ]


def _prune(place: Site, old: int, count: int) -> tuple[float, float]:
    """Rows that a worker forgets a second, and jobs that it does a second meanwhile."""
    place.stop()
    place.rows("UPDATE job_ledger SET created_at = created_at - interval '30 days', finished_at = now() - interval '30 days'")
    place.rows("VACUUM ANALYZE job_ledger")
    before = _forgotten(place)
    publish(disks(place.name, count, first=_recorded(place)), place.keep_alive)
    place.start()
    eventually("the first rows are forgotten", lambda: _forgotten(place) > before, 60)
    start, first, done = time.monotonic(), _forgotten(place), _recorded(place)
    while place.depth(f"{place.name}.disks") > 0 and _forgotten(place) - before < old:
        time.sleep(0.1)
    seconds = time.monotonic() - start
    figures = (_forgotten(place) - first) / seconds, (_recorded(place) - done) / seconds
    eventually("all rows are forgotten", lambda: _forgotten(place) - before >= old, 600)
    return figures


def _forgotten(place: Site) -> int:
    place.check()
    return place.rows("SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'job_ledger'")[0][0]


def _recorded(place: Site) -> int:
    """How many jobs are recorded: each takes one number for its outbox row."""
    place.check()
    return place.rows("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq")[0][0]


def _stretch(place: Site, worker: int, begun: int, count: int) -> tuple[float, float]:
    """Jobs a second while nobody publishes, and the memory afterwards in MiB."""
    publish(disks(place.name, count, first=begun), place.keep_alive)
    samples = watch(lambda: _recorded(place) - begun, count, [worker], patience=60)
    memory = resident_memory(worker)
    left = count - samples[0].jobs
    if left < count / 5:
        raise RuntimeError("the producer is too slow to fill the queue ahead of the worker")
    shifted = [sample._replace(jobs=sample.jobs - samples[0].jobs) for sample in samples]
    return steady(shifted, memory).rate, memory
