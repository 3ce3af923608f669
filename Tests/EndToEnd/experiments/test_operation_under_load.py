"""What operators do under load: replay, upgrade and go back, scale."""

import signal
import subprocess
import time

import pytest

from harness.machine import scaled
from harness.program import PROGRAM
from harness.waiting import eventually


@pytest.mark.experiment(20, "Dead letters replayed at a rate onto a live system, interrupted and resumed")
def test_replay(experiment):
    """Once with SIGINT and once with SIGKILL; each letter comes back once, whatever was under way."""
    experiment.start(3)
    count = experiment.size(200, 10_000)
    dead = [
        experiment.load.add("disk.create", {"user_id": "bob", "disk_name": f"taken{number}"}, death="rejected")
        if number % 5 else experiment.load.add(
            "disk.create-snapshot", {"user_id": "dora", "disk_name": f"missing{number}"}, death="rejected")
        for number in range(count)]
    experiment.rows(
        "INSERT INTO disks (user_id, disk_name) SELECT 'bob', 'taken' || n FROM generate_series(0, %s) n", count)
    experiment.submit(dead, patience=600)
    eventually("all are dead", lambda: experiment.depth("disks.dead") == count, experiment.size(30, 600))
    experiment.rows("DELETE FROM disks WHERE user_id = 'bob' AND disk_name LIKE 'taken%%'")
    for number in range(0, count, 5):
        experiment.add_disk("dora", f"missing{number}", ebs_volume_id=experiment.cloud.create_volume("dora", f"missing{number}"))
    for job in dead:
        experiment.load.change(job, death=None)
    rate = experiment.size(60, 200)
    jobs = experiment.load.draw(200, {kind: share for kind, share in experiment.load.shares.items() if kind != "doomed"})
    with experiment.submitting(jobs, per_second=50):
        for number, end in ((count // 4, signal.SIGINT), (count // 2, signal.SIGKILL)):
            replay = start_replay(experiment, rate)
            eventually("some letters are back", lambda: (
                replayed(experiment) >= number or replay.poll() is not None), 300)  # noqa: B023
            assert replay.poll() is None, (experiment.directory / "replay.log").read_text()
            replay.send_signal(end)
            assert replay.wait(scaled(20)) != 0
        started, before = time.monotonic(), replayed(experiment)
        assert start_replay(experiment, rate).wait(scaled(600)) == 0
        assert replayed(experiment) == count
        assert (count - before) / (time.monotonic() - started) <= rate * 1.1
    eventually("no letter is left", lambda: experiment.depth("disks.dead") == 0)
    experiment.recover()
    experiment.verdict(experiment.size(60, 900))
    ids = [job.id for job in dead]
    assert experiment.count(
        "job_ledger WHERE job_id = ANY(%s::uuid[]) AND (attempts, replays, deaths) <> (2, 1, 1)", ids) == 0


def start_replay(experiment, rate: float) -> subprocess.Popen:
    with (experiment.directory / "replay.log").open("ab") as log:
        return subprocess.Popen(
            [PROGRAM, "dead", "replay", "--rate", str(rate)], env=experiment.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)


def replayed(experiment) -> int:
    return experiment.count("job_ledger WHERE replays > 0")


NEW_KIND = "disk.reconcile-volume"


@pytest.mark.experiment(21, "A rolling upgrade with a new kind and an added field, and back, and forth")
def test_rolling_upgrade(experiment):
    """Producers are ahead of the replicas: what the older ones do not know waits for newer ones."""
    phase = experiment.size(3, 30)
    # Longer than the older replicas are there, which on a busy machine end slowly.
    experiment.environment["WORKER_UNKNOWN_KIND_WAIT"] = f"{phase * 20:.0f}s"
    older = {"GPUDEV_OLDER_THAN": NEW_KIND}
    experiment.start(2, **older)
    jobs = [with_an_added_field(experiment, job) for job in experiment.load.draw(
        experiment.size(240, 1200), experiment.load.shares | {NEW_KIND: 30})]
    with experiment.submitting(jobs, per_second=len(jobs) / phase / 3):
        for settings in ({}, older, {}):
            time.sleep(phase)
            roll(experiment, settings)
    experiment.recover()
    experiment.verdict(phase * 5 + 30)
    assert experiment.count("job_ledger WHERE snoozes > 0 AND kind = %s", NEW_KIND) > 0, "no old replica met the new kind"
    assert experiment.count("job_ledger WHERE state = 'succeeded' AND attempts <> 1") == 0
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


def with_an_added_field(experiment, job):
    """The job as a later producer would send it, every other time."""
    if experiment.random.random() < 0.5:
        return job
    return experiment.load.change(job, body=job.body.replace(b"{", b'{"added" : {"in": "2.0"} ,', 1))


def roll(experiment, settings: dict[str, str]) -> None:
    """One replica after the other, the new one first."""
    leaving = experiment.living
    for replica in leaving:
        coming = experiment.start_doomed(**settings)
        eventually("it consumes", lambda: '"consuming"' in coming.log.read_text())  # noqa: B023
        assert replica.stop() == 0


@pytest.mark.experiment(22, "Scaled from 1 to 8 to none to 3 replicas under load")
def test_scaling(experiment):
    keeper = experiment.keep(1)
    pause = experiment.size(2.5, 20)
    jobs = experiment.size(300, 2000)
    with experiment.flooding(jobs, per_second=jobs / pause / 3.5):
        for count in (experiment.size(4, 8), 0, experiment.size(2, 3)):
            time.sleep(pause)
            keeper.count = count
            eventually("there are so many", lambda: len(experiment.living) == count, 20)  # noqa: B023
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_ledger WHERE state = 'succeeded' AND attempts <> 1") == 0
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0
    assert all(replica.process.returncode == 0 for replica in experiment.replicas if not replica.is_alive)
