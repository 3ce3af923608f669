"""Part 4: the reconciliation of fleets of volumes, each with three snapshots."""

from typing import NamedTuple

from bench.figures import Figure, Row, number
from bench.options import Options, say
from bench.producer import job, publish
from bench.resource_usage import cpu_seconds, peak_memory
from bench.site import site
from bench.waiting_on_aws import PAUSE, calls_of
from harness.network.loopback import free_port
from harness.repository import ROOT
from harness.waiting import eventually

MOST_CALLS = 60


class Run(NamedTuple):
    """One job: seconds of which the worker computed so many, calls to EC2, MiB resident at most."""

    seconds: float
    cpu: float
    calls: int
    memory: float


def measure(options: Options) -> list[Row]:
    rows = []
    for volumes in options.fleets:
        news, rest = [], []
        for position in range(options.rounds):
            say(f"reconciling {volumes} volumes, round {position + 1} of {options.rounds}")
            first, second = reconcile(volumes)
            news.append(first)
            rest.append(second)
        rows += [
            _row(f"{volumes:,} volumes, all of them new", f"one job makes {volumes:,} rows", news),
            _row(f"{volumes:,} volumes, nothing new", "the same job again, with nothing to write", rest)]
    return rows


def reconcile(volumes: int) -> tuple[Run, Run]:
    """The first job of a worker makes a row for each volume, the second finds all of them right."""
    port = free_port()
    # This AWS sets no limit to how often it is asked.
    with site(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", AWS_RATE_FACTOR="1000") as place:
        cloud = ["/usr/bin/python3", str(ROOT / "bench/scripted_ec2.py"), str(port), str(PAUSE), str(volumes)]
        place.launch(cloud, {"PATH": "/usr/bin:/bin"})
        eventually("the scripted EC2 answers", lambda: calls_of(port) is not None)
        worker = place.start().pid
        eventually("the worker consumes", lambda: place.consumers(f"{place.name}.disks") == 1)
        first = _run(place, worker, port, 1)
        if place.rows("SELECT count(*), min(snapshot_count) FROM disks") != [(volumes, 3)]:
            raise RuntimeError("the rows are not those of the fleet")
        written = place.rows("SELECT max(last_updated) FROM disks")
        second = _run(place, worker, port, 2)
        if place.rows("SELECT max(last_updated) FROM disks") != written:
            raise RuntimeError("the second run has written")
        return first, second


def _run(place, worker: int, port: int, jobs: int) -> Run:
    cpu, calls = cpu_seconds([worker]), _count(port)
    publish([job(place.name, "disk.reconcile-all", {})])
    ended = "SELECT count(*) FROM job_ledger WHERE state = 'succeeded'"
    eventually("the job is done", lambda: place.rows(ended)[0][0] == jobs, 120)
    place.check()
    took = place.rows(
        "SELECT extract(epoch FROM finished_at - created_at)::float FROM job_ledger ORDER BY finished_at DESC LIMIT 1")
    return Run(took[0][0], cpu_seconds([worker]) - cpu, _count(port) - calls, peak_memory([worker]))


def _count(port: int) -> int:
    return sum((calls_of(port) or {}).values())


def _row(name: str, meaning: str, runs: list[Run]) -> Row:
    calls = max(run.calls for run in runs)
    computing = Figure.of([run.cpu for run in runs])
    return Row(
        "reconcile", name,
        f"{meaning}; {calls} calls to EC2, which answers each after 50 ms; {number(computing.median)} s of the worker's CPU",
        "s", Figure.of([run.seconds for run in runs]), memory=Figure.of([run.memory for run in runs]),
        target=f"{'✓' if calls <= MOST_CALLS else '✗'} {calls} calls ≤ {MOST_CALLS}", is_met=calls <= MOST_CALLS,
        more={"calls": calls, "cpu_seconds": computing.median})
