"""Jobs that harm their process, an AWS that answers late or wrong, and a clock that jumps."""

import contextlib
import os
import pathlib
import time

import pytest
from aws_proxy import ANY, REFUSAL, Answer
from system import Replica, eventually

FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


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
def test_a_job_that_ends_its_worker(world, fault):
    """It is found out by its starts, and those that only ran beside it lose no attempt."""
    jobs = world.load.draw(world.size(200, 1000))
    bad, = world.load.draw(1, {"disk.create-snapshot": 1})
    bad = world.load.change(bad, death="poison")
    jobs.insert(100, bad)
    world.environment |= {"GPUDEV_MISBEHAVE": f"{fault}:{bad.id}", "WORKER_MAX_STARTS": f"{world.size(3, 5):.0f}"}
    world.launcher = ("prlimit", f"--data={1 << 30}") if fault == "exhaust" else ()
    world.keep(2, is_stuck=Liveness().is_stuck)
    world.submit(jobs)
    eventually("the job is found out", lambda: world.state(bad.id) == ("dead", 0), world.size(60, 180))
    assert sum(not replica.is_alive for replica in world.replicas) >= world.size(3, 5), "it has not taken them with it"
    world.hasten()
    world.recover(15)
    world.verdict(90)
    assert world.count("job_ledger WHERE state = 'succeeded' AND attempts <> 1") == 0
    assert world.count("job_attempts WHERE fate = 'retry'") == 0


def busy_with_aws(world, proxy, **settings) -> list:
    """Replicas behind the proxy, with a load of which half asks AWS for something."""
    world.environment |= {
        "AWS_ENDPOINT_URL": proxy.url, "WORKER_MAX_ATTEMPTS": "500", "WORKER_CONCURRENCY": "128"} | settings
    world.start(2)
    return world.load.draw(200, world.load.shares | {"disk.create-snapshot": 36, "disk.create": 44})


def row_jobs_are_not_held_up(world, jobs: list, seconds: float = 10) -> None:
    rows = {job.id for job in jobs if job.kind == "disk.create"}
    eventually("jobs that need no AWS are done", lambda: rows <= set(world.feed.times), seconds)


@pytest.mark.experiment(18, "AWS slow, throttling, failing, or answering rubbish")
def test_a_slow_aws(world, proxy):
    jobs = busy_with_aws(world, proxy)
    proxy.delay(ANY, world.size(5, 30))
    world.submit(jobs)
    row_jobs_are_not_held_up(world, jobs)
    time.sleep(world.size(3, 60))
    proxy.restore()
    world.recover()
    world.verdict(world.size(90, 600))


@pytest.mark.experiment(18, "AWS slow, throttling, failing, or answering rubbish")
@pytest.mark.parametrize(("refusals", "seconds"), [
    ([(503, "RequestLimitExceeded"), (400, "Throttling")], 60),
    ([(500, "InternalError"), (503, "ServiceUnavailable")], 600)], ids=["throttling", "failing"])
def test_an_aws_that_refuses(world, proxy, refusals, seconds):
    jobs = busy_with_aws(world, proxy)

    def refuse(_) -> tuple[int, str]:
        status, code = world.random.choice(refusals)
        return status, REFUSAL.format(code=code, message="not now")

    proxy.before(ANY, refuse)
    world.submit(jobs)
    row_jobs_are_not_held_up(world, jobs)
    time.sleep(world.size(5, seconds))
    proxy.restore()
    world.hasten()
    world.recover()
    world.verdict(world.size(90, 600))


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
def test_an_aws_that_answers_rubbish(world, proxy, sort):
    """AWS has done what it was asked, and what comes back of the answer is of no use."""
    jobs = busy_with_aws(world, proxy)
    proxy.garble(lambda answer: (
        world.random.choice(RUBBISH[sort])(answer) if world.random.random() < 0.2 else answer))
    world.submit(jobs)
    row_jobs_are_not_held_up(world, jobs)
    time.sleep(world.size(4, 120))
    proxy.restore()
    world.hasten()
    world.recover()
    world.verdict(world.size(90, 600))


@pytest.mark.experiment(19, "The clock of one replica stepped by a day while it runs")
@pytest.mark.parametrize("step", ["+1d", "-1d"])
def test_a_clock_that_jumps(world, proxy, tmp_path, step):
    """Jobs for later and repetitions come when they are due, and no claim is taken for old."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    # A refusal that the job waits for and not the call: libfaketime steps the timers of pauses within a call as well,
    # which a clock that is really stepped leaves alone.
    proxy.before("CreateSnapshot", lambda number: time.sleep(1) or (
        (400, REFUSAL.format(code="IncorrectState", message="now and then")) if number % 10 == 0 else None))
    world.environment |= {"AWS_ENDPOINT_URL": proxy.url, "WORKER_RETRY_BASE": "1s"}
    world.start()
    # libfaketime moves the environment when it is loaded, and Swift looks for the arguments beside it: `env`, which
    # it is loaded into first, hands the moved one on.
    world.launcher = ("env",)
    world.start(
        LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
        DONT_FAKE_MONOTONIC="1")
    wait = world.size(6, 60)
    later = world.load.draw(40, {"disk.create": 1, "disk.create-snapshot": 1, "disk.reconcile-volume": 1})
    due = {job.id: time.monotonic() + wait * (number + 1) / len(later) for number, job in enumerate(later)}
    for job in later:
        world.enqueue(job, due[job.id] - time.monotonic())
    unknown = '{"volume_id": "vol-0123456789abcdef0"}'
    world.call("schedule", "set", "often", "disk.reconcile-volume", unknown, "--every", "1s")
    started = time.monotonic()
    with world.flooding(200, per_second=200 / wait):
        time.sleep(wait / 3)
        clock.write_text(step)
        time.sleep(wait / 3)
    world.call("schedule", "remove", "often")
    periods = time.monotonic() - started
    eventually("all of them are done", lambda: set(due) <= set(world.feed.times), 30)
    world.recover()
    eventually("the outbox is empty", lambda: world.count("outbox") == 0, 60)
    eventually("the queues are empty", lambda: world.waiting() == 0, 60)
    assert periods - 3 <= len(world.adopt()) <= periods + 1
    world.verdict()
    early = {job: due[job] - world.feed.times[job] for job in due if world.feed.times[job] < due[job] - 0.2}
    late = {job: world.feed.times[job] - due[job] for job in due if world.feed.times[job] > due[job] + 10}
    assert not early and not late, (early, late)
    assert world.count("job_ledger WHERE state = 'succeeded' AND starts <> 1") == 0
    assert not any("the claim was lost" in replica.log.read_text() for replica in world.replicas)
