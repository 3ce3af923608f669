"""Part 3: jobs that wait for AWS, which answers each call after 50 ms."""

import json

from bench.figures import Figure, Row, number
from bench.options import Options, say
from bench.producer import job, publish
from bench.site import site
from harness.network.loopback import free_port, open_url
from harness.repository import ROOT
from harness.waiting import eventually

PAUSE = 0.05
CONCURRENCY = 64
# A job needs two, one after the other; those of several jobs may come with one call.
ANSWERS = 2


def measure(options: Options) -> list[Row]:
    one: list[tuple[float, float]] = []
    two: list[tuple[float, float]] = []
    for position in range(options.rounds):
        say(f"waiting on AWS, round {position + 1} of {options.rounds}")
        one.append(reconcile(1, options.waiting_jobs))
        two.append(reconcile(2, options.waiting_jobs))
    return [_row(one, options.waiting_jobs), _second_row(one, two)]


def reconcile(workers: int, jobs: int) -> tuple[float, float]:
    """Seconds for all jobs, from the first to the last record, and calls that each made."""
    port = free_port()
    settings = {
        "WORKER_CONCURRENCY": str(CONCURRENCY), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        # This AWS sets no limit to how often it is asked.
        "AWS_RATE_FACTOR": "1000",
        # Alone, the queue has all the slots.
        "WORKER_QUEUES": "disks",
    }
    with site(**settings) as place:
        cloud = ["/usr/bin/python3", str(ROOT / "bench/scripted_ec2.py"), str(port), str(PAUSE), "0"]
        place.launch(cloud, {"PATH": "/usr/bin:/bin"})
        eventually("the scripted EC2 answers", lambda: calls_of(port) is not None)
        volumes = [f"vol-{number:017x}" for number in range(jobs)]
        place.rows(
            "INSERT INTO disks (user_id, disk_name, ebs_volume_id, size_gb) SELECT 'alice', v, v, 100"
            " FROM unnest(%s::text[]) v", volumes)
        publish(job(place.name, "disk.reconcile-volume", {"volume_id": volume}) for volume in volumes)
        eventually("the jobs are in the queue", lambda: place.depth(f"{place.name}.disks") == jobs)
        for _ in range(workers):
            place.start()
        eventually("the jobs are done", lambda: _done(place) == jobs, 120)
        place.check()
        first, last = place.rows("SELECT min(created_at), max(finished_at) FROM job_ledger")[0]
        return (last - first).total_seconds(), sum((calls_of(port) or {}).values()) / jobs


def _done(place) -> int:
    return place.rows("SELECT count(*) FROM job_ledger WHERE state = 'succeeded'")[0][0]


def calls_of(port: int) -> dict[str, int] | None:
    """How often the scripted EC2 has been asked for what; nothing if it does not answer yet."""
    try:
        with open_url(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def _ideal(jobs: int) -> float:
    return ANSWERS * PAUSE * jobs / CONCURRENCY


def _row(one: list[tuple[float, float]], jobs: int) -> Row:
    calls = one[0][1]
    ratio = Figure.of([seconds / _ideal(jobs) for seconds, _ in one])
    return Row(
        "waiting", f"{jobs} jobs that wait on AWS",
        f"one worker, {CONCURRENCY} at once, {ANSWERS} answers a job of 50 ms each, which {number(calls)} calls a job"
        f" brought; ideal is {number(_ideal(jobs))} s",
        "s", Figure.of([seconds for seconds, _ in one]), ratio, "× ideal",
        target=f"{'✓' if ratio.median <= 1.2 else '✗'} ≤ 1.2 × ideal", is_met=ratio.median <= 1.2,
        more={"calls_per_job": calls, "ideal_seconds": _ideal(jobs)})


def _second_row(one: list[tuple[float, float]], two: list[tuple[float, float]]) -> Row:
    times = Figure.of([single / double for (single, _), (double, _) in zip(one, two)])
    return Row(
        "waiting", "two workers, the same", "the same jobs, two processes on one queue", "s",
        Figure.of([seconds for seconds, _ in two]), times, "× as fast as one",
        target=f"{'✓' if times.median >= 1.8 else '✗'} ≥ 1.8 × one", is_met=times.median >= 1.8)
