"""Jobs that harm their process, an AWS that answers late or wrong, and a clock that jumps."""

import contextlib
import os
import pathlib
import time

import boto3
import pytest

from harness.aws.proxy import ANY, Answer, Refused
from harness.disks import day, tagged
from harness.machine import scaled
from harness.program import FAKETIME
from harness.waiting import eventually
from harness.worker import Replica


class Liveness:
    """A probe as a kubelet's: a replica that says nothing while a thread of it never comes to rest is stuck."""

    period = 2.0
    burnt = 0.1

    def __init__(self) -> None:
        self._seen: dict[Replica, tuple[float, int, dict[str, tuple[int, float]]]] = {}

    def is_stuck(self, replica: Replica) -> bool:
        now, said = time.monotonic(), replica.log.stat().st_size
        since, said_before, before = self._seen.get(replica, (now, -1, {}))
        if said == said_before and now - since < self.period:
            return False
        threads = self._threads(replica)
        self._seen[replica] = (now, said, threads)
        return said == said_before and any(
            rests == before[thread][0] and used - before[thread][1] >= self.burnt
            for thread, (rests, used) in threads.items() if thread in before)

    @staticmethod
    def _threads(replica: Replica) -> dict[str, tuple[int, float]]:
        """How often each thread has come to rest, and the processor time that it has used in seconds."""
        threads = {}
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{replica.process.pid}/task").iterdir():
                rests = (task / "status").read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0]
                times = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
                threads[task.name] = (int(rests), sum(map(int, times)) / os.sysconf("SC_CLK_TCK"))
        return threads


@pytest.mark.experiment(17, "A job that traps, spins or takes all memory")
@pytest.mark.parametrize("fault", ["trap", "spin", "exhaust"])
def test_a_job_that_ends_its_worker(experiment, fault):
    """It is found out by its starts, and those that only ran beside it lose no attempt."""
    jobs = experiment.load.draw(experiment.size(200, 1000))
    bad, = experiment.load.draw(1, {"disk.create-snapshot": 1})
    bad = experiment.load.change(bad, death="poison")
    jobs.insert(100, bad)
    experiment.environment |= {"GPUDEV_MISBEHAVE": f"{fault}:{bad.id}", "WORKER_MAX_STARTS": f"{experiment.size(3, 5):.0f}"}
    experiment.launcher = ("prlimit", f"--data={1 << 30}") if fault == "exhaust" else ()
    experiment.keep(2, is_stuck=Liveness().is_stuck)
    experiment.submit(jobs)
    eventually("the job is found out", lambda: experiment.state(bad.id) == ("dead", 0), experiment.size(150, 300))
    assert sum(not replica.is_alive for replica in experiment.replicas) >= experiment.size(3, 5), "it has not taken them with it"
    experiment.hasten()
    experiment.recover(15)
    experiment.verdict(90)
    assert experiment.count("job_ledger WHERE state = 'succeeded' AND attempts <> 1") == 0
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


def busy_with_aws(experiment, proxy, **settings) -> list:
    """Replicas behind the proxy, with a load of which half asks AWS for something."""
    experiment.environment |= {
        "AWS_ENDPOINT_URL": proxy.url, "WORKER_MAX_ATTEMPTS": "500", "WORKER_CONCURRENCY": "128"} | settings
    experiment.start(2)
    return experiment.load.draw(200, experiment.load.shares | {"disk.create-snapshot": 36, "disk.create": 44})


def row_jobs_are_not_held_up(experiment, jobs: list, seconds: float = 10) -> None:
    rows = {job.id for job in jobs if job.kind == "disk.create"}
    eventually("jobs that need no AWS are done", lambda: rows <= set(experiment.feed.times), seconds)


@pytest.mark.experiment(18, "AWS slow, throttling, failing, or answering rubbish")
def test_a_slow_aws(experiment, proxy):
    jobs = busy_with_aws(experiment, proxy)
    proxy.delay(ANY, experiment.size(5, 30))
    experiment.submit(jobs)
    row_jobs_are_not_held_up(experiment, jobs)
    time.sleep(experiment.size(3, 60))
    proxy.restore()
    experiment.recover()
    experiment.verdict(experiment.size(90, 600))


@pytest.mark.experiment(18, "AWS slow, throttling, failing, or answering rubbish")
@pytest.mark.parametrize(("refusals", "seconds"), [
    ([(503, "RequestLimitExceeded"), (400, "Throttling")], 60),
    ([(500, "InternalError"), (503, "ServiceUnavailable")], 600)], ids=["throttling", "failing"])
def test_an_aws_that_refuses(experiment, proxy, refusals, seconds):
    jobs = busy_with_aws(experiment, proxy)

    def refuse(_) -> Refused:
        status, code = experiment.random.choice(refusals)
        return Refused(status, code)

    proxy.before(ANY, refuse)
    experiment.submit(jobs)
    row_jobs_are_not_held_up(experiment, jobs)
    time.sleep(experiment.size(5, seconds))
    proxy.restore()
    experiment.hasten()
    experiment.recover()
    experiment.verdict(experiment.size(90, 600))


def half(answer: Answer) -> bytes:
    return answer.content[: len(answer.content) // 2]


PAGE, HTML = b"<html><body>Welcome to the proxy</body></html>", (("Content-Type", "text/html"),)
RUBBISH = {
    "answers": [
        lambda answer: answer.but(content=half(answer)),
        lambda answer: answer.but(content=half(answer), announced=len(answer.content), is_last=True),
        lambda answer: answer.but(announced=len(answer.content) // 2),
        lambda answer: answer.but(announced=len(answer.content) + 100, is_last=True),
        lambda answer: answer.but(content=b""),
        lambda _: Answer(200, PAGE, HTML),
        lambda _: Answer(200, b"<?xml version='1.0'?><Other/>"),
    ],
    "refusals": [
        lambda _: Answer(502, PAGE, HTML), lambda _: Answer(503, b""),
        lambda _: Answer(400, b"<Response><Errors><Error><Code>Throt"), lambda _: Answer(400, b""),
        lambda _: Answer(400, PAGE, HTML),
    ],
}


@pytest.mark.experiment(18, "AWS slow, throttling, failing, or answering rubbish")
@pytest.mark.parametrize("sort", RUBBISH)
def test_an_aws_that_answers_rubbish(experiment, proxy, sort):
    """AWS has done what it was asked, and what comes back of the answer is of no use."""
    jobs = busy_with_aws(experiment, proxy)
    proxy.garble(lambda answer: (
        experiment.random.choice(RUBBISH[sort])(answer) if experiment.random.random() < 0.2 else answer))
    experiment.submit(jobs)
    row_jobs_are_not_held_up(experiment, jobs)
    time.sleep(experiment.size(4, 120))
    proxy.restore()
    experiment.hasten()
    experiment.recover()
    experiment.verdict(experiment.size(90, 600))


@pytest.mark.experiment(19, "The clock of one replica stepped by a day while it runs")
@pytest.mark.parametrize("step", ["+1d", "-1d"])
def test_a_clock_that_jumps(experiment, proxy, tmp_path, step):
    """Jobs for later and repetitions come when they are due, no claim is taken for old, and nobody's time is up."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    # A refusal that the job waits for and not the call: libfaketime steps the timers of pauses within a call as well,
    # which a clock that is really stepped leaves alone.
    proxy.before("CreateSnapshot", lambda number: time.sleep(1) or (
        Refused(400, "IncorrectState") if number % 10 == 0 else None))
    experiment.environment |= {"AWS_ENDPOINT_URL": proxy.url, "WORKER_RETRY_BASE": "1s"}
    experiment.start()
    # libfaketime moves the environment when it is loaded, and Swift looks for the arguments beside it: `env`, which
    # it is loaded into first, hands the moved one on.
    experiment.launcher = ("env",)
    experiment.start(
        LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
        DONT_FAKE_MONOTONIC="1")
    wait = experiment.size(6, 60)
    later = experiment.load.draw(40, {"disk.create": 1, "disk.create-snapshot": 1, "disk.reconcile-volume": 1})
    later += [experiment.load.add("disk.prune-snapshots", {}) for _ in range(6)]
    due = {job.id: time.monotonic() + wait * (number + 1) / len(later) for number, job in enumerate(later)}
    for job in later:
        experiment.enqueue(job, due[job.id] - time.monotonic())
    # Those that have hours left by PostgreSQL's clock are over by one that is a day ahead.
    for number in range(5):
        experiment.add_reservation(f"lasting-{number}")
    experiment.rows("UPDATE reservations SET launched_at = now(), expires_at = now() + interval '3 hours'")
    # So has a deleted disk whose day is tomorrow.
    experiment.add_disk("carol", "lasting", is_deleted=True, delete_date=day(1))
    experiment.rows("UPDATE disks SET marked_deleted_at = now() - interval '8 days' WHERE is_deleted")
    kept = boto3.client("ec2").create_snapshot(
        VolumeId=experiment.cloud.create_volume("carol", "lasting"), TagSpecifications=[
            tagged("snapshot", {"gpu-dev-user": "carol", "disk_name": "lasting", "delete-date": day(1)})])["SnapshotId"]
    experiment.call("schedule", "set", "often", "reservation.sweep", "{}", "--every", "1s")
    started = time.monotonic()
    with experiment.flooding(200, per_second=200 / wait):
        time.sleep(wait / 3)
        before = experiment.count("job_ledger WHERE kind = 'reservation.sweep'")
        clock.write_text(step)
        time.sleep(wait / 3)
        # One that was under way may be counted late.
        eventually("the sweeps go on", lambda: experiment.count("job_ledger WHERE kind = 'reservation.sweep'") > before + 1)
    experiment.call("schedule", "remove", "often")
    periods = time.monotonic() - started
    eventually("all of them are done", lambda: set(due) <= set(experiment.feed.times), 30)
    experiment.recover()
    eventually("the outbox is empty", lambda: experiment.count("outbox") == 0, 60)
    eventually("the queues are empty", lambda: experiment.waiting() == 0, 60)
    # A period passes without a sweep where the last one is not done.
    assert len(experiment.adopt()) <= periods + 1
    assert experiment.count("reservations") == experiment.count("reservations WHERE status = 'active'") > 0
    assert boto3.client("ec2").describe_snapshots(SnapshotIds=[kept])["Snapshots"]
    experiment.verdict()
    early = {job: due[job] - experiment.feed.times[job] for job in due if experiment.feed.times[job] < due[job] - 0.2}
    late = {job: experiment.feed.times[job] - due[job] for job in due if experiment.feed.times[job] > due[job] + scaled(30)}
    assert not early and not late, (early, late)
    assert experiment.count("job_ledger WHERE state = 'succeeded' AND starts <> 1") == 0
    assert not any("the claim was lost" in replica.log.read_text() for replica in experiment.replicas)
