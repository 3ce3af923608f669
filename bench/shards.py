"""Part 9, on demand: jobs a second by several shards, each with a database, exchanges, queues and a worker of its own."""

import contextlib

from bench.figures import Figure, Row
from bench.options import Options, say
from bench.producer import disks, publish
from bench.resource_usage import Run, peak_memory, steady, watch
from bench.site import Site, site
from harness.waiting import eventually

SHARDS = (1, 2, 4)
PATIENCE = 60


def measure(options: Options) -> list[Row]:
    runs: dict[int, list[Run]] = {count: [] for count in SHARDS}
    for number in range(options.rounds):
        say(f"shards, round {number + 1} of {options.rounds}")
        for count, taken in runs.items():
            taken.append(run(count, options.jobs))
    return [_row(count, taken, runs[1]) for count, taken in runs.items()]


def run(count: int, jobs: int) -> Run:
    """All queues full, together so many jobs, then a worker for each of them, until the last event is there."""
    each = jobs // count
    with contextlib.ExitStack() as ends:
        places = [ends.enter_context(site()) for _ in range(count)]
        for place in places:
            publish(disks(place.name, each), lambda: _keep_alive(places))
            eventually("the jobs are in the queue", lambda place=place: place.depth(f"{place.name}.disks") == each)
        processes = [place.start().pid for place in places]
        samples = watch(lambda: sum(place.events() for place in places), each * count, processes, PATIENCE)
        return steady(samples, peak_memory(processes))


def _keep_alive(places: list[Site]) -> None:
    for place in places:
        place.keep_alive()


def _row(count: int, runs: list[Run], alone: list[Run]) -> Row:
    cpu, machine, memory = (
        Figure.of([getattr(run, what) for run in runs]) for what in ("worker_cpu", "machine_cpu", "memory"))
    times = Figure.of([run.rate / base.rate for run, base in zip(runs, alone)])
    return Row(
        "shards", "1 shard" if count == 1 else f"{count} shards",
        f"{count} databases, exchanges with their queues, and workers, on the same cores", "jobs/s",
        Figure.of([run.rate for run in runs]), times, "× 1 shard", cpu, machine, memory)
