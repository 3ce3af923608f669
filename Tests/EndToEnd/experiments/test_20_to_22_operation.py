"""What operators do under load: replay, upgrade and go back, scale."""

import signal
import subprocess
import time

import pytest
from system import PROGRAM, eventually


@pytest.mark.experiment(20, "Dead letters replayed at a rate onto a live system, interrupted and resumed")
def test_replay(world):
    """Once with SIGINT and once with SIGKILL; each letter comes back once, whatever was under way."""
    world.start(3)
    count = world.size(200, 10_000)
    dead = [
        world.load.add("disk.create", {"user_id": "bob", "disk_name": f"taken{number}"}, death="rejected")
        if number % 5 else world.load.add(
            "disk.create-snapshot", {"user_id": "dora", "disk_name": f"missing{number}"}, death="rejected")
        for number in range(count)]
    world.rows(
        "INSERT INTO disks (user_id, disk_name) SELECT 'bob', 'taken' || n FROM generate_series(0, %s) n", count)
    world.submit(dead, patience=600)
    eventually("all are dead", lambda: world.depth("disks.dead") == count, world.size(30, 600))
    world.rows("DELETE FROM disks WHERE user_id = 'bob' AND disk_name LIKE 'taken%%'")
    for number in range(0, count, 5):
        world.add_disk("dora", f"missing{number}", ebs_volume_id=world.cloud.create_volume("dora", f"missing{number}"))
    for job in dead:
        world.load.change(job, death=None)
    rate = world.size(60, 200)
    jobs = world.load.draw(200, {kind: share for kind, share in world.load.shares.items() if kind != "doomed"})
    with world.submitting(jobs, per_second=50):
        for number, end in ((count // 4, signal.SIGINT), (count // 2, signal.SIGKILL)):
            replay = start_replay(world, rate)
            eventually("some letters are back", lambda: (
                replayed(world) >= number or replay.poll() is not None), 300)  # noqa: B023
            assert replay.poll() is None, (world.directory / "replay.log").read_text()
            replay.send_signal(end)
            assert replay.wait(20) != 0
        started, before = time.monotonic(), replayed(world)
        assert start_replay(world, rate).wait(600) == 0
        assert replayed(world) == count
        assert (count - before) / (time.monotonic() - started) <= rate * 1.1
    eventually("no letter is left", lambda: world.depth("disks.dead") == 0)
    world.recover()
    world.verdict(world.size(60, 900))
    ids = [job.id for job in dead]
    assert world.count(
        "job_ledger WHERE job_id = ANY(%s::uuid[]) AND (attempts, replays, deaths) <> (2, 1, 1)", ids) == 0


def start_replay(world, rate: float) -> subprocess.Popen:
    with (world.directory / "replay.log").open("ab") as log:
        return subprocess.Popen(
            [PROGRAM, "dead", "replay", "--rate", str(rate)], env=world.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)


def replayed(world) -> int:
    return world.count("job_ledger WHERE replays > 0")


NEW_KIND = "disk.reconcile-volume"


@pytest.mark.experiment(21, "A rolling upgrade with a new kind and an added field, and back, and forth")
def test_rolling_upgrade(world):
    """Producers are ahead of the replicas: what the older ones do not know waits for newer ones."""
    phase = world.size(3, 30)
    world.environment["WORKER_UNKNOWN_KIND_WAIT"] = f"{phase * 5:.0f}s"
    older = {"GPUDEV_OLDER_THAN": NEW_KIND}
    world.start(2, **older)
    jobs = [with_an_added_field(world, job) for job in world.load.draw(
        world.size(240, 1200), world.load.shares | {NEW_KIND: 30})]
    with world.submitting(jobs, per_second=len(jobs) / phase / 3):
        for settings in ({}, older, {}):
            time.sleep(phase)
            roll(world, settings)
    world.recover()
    world.verdict(phase * 5 + 30)
    assert world.count("job_ledger WHERE snoozes > 0 AND kind = %s", NEW_KIND) > 0, "no old replica met the new kind"
    assert world.count("job_ledger WHERE state = 'succeeded' AND attempts <> 1") == 0
    assert world.count("job_attempts WHERE fate = 'retry'") == 0


def with_an_added_field(world, job):
    """The job as a later producer would send it, every other time."""
    if world.random.random() < 0.5:
        return job
    return world.load.change(job, body=job.body.replace(b"{", b'{"added" : {"in": "2.0"} ,', 1))


def roll(world, settings: dict[str, str]) -> None:
    """One replica after the other, the new one first."""
    leaving = world.living
    for replica in leaving:
        coming = world.start_doomed(**settings)
        eventually("it consumes", lambda: '"consuming"' in coming.log.read_text())  # noqa: B023
        assert replica.stop() == 0


@pytest.mark.experiment(22, "Scaled from 1 to 8 to none to 3 replicas under load")
def test_scaling(world):
    keeper = world.keep(1)
    pause = world.size(2.5, 20)
    jobs = world.size(300, 2000)
    with world.flooding(jobs, per_second=jobs / pause / 3.5):
        for count in (world.size(4, 8), 0, world.size(2, 3)):
            time.sleep(pause)
            keeper.count = count
            eventually("there are so many", lambda: len(world.living) == count, 20)  # noqa: B023
    world.recover()
    world.verdict()
    assert world.count("job_ledger WHERE state = 'succeeded' AND attempts <> 1") == 0
    assert world.count("job_attempts WHERE fate = 'retry'") == 0
    assert all(replica.process.returncode == 0 for replica in world.replicas if not replica.is_alive)
