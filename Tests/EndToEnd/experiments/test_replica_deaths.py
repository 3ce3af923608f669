"""Replicas that die, are stopped, or are told to end, at any step."""

import signal
import threading
import time

import pytest

from harness.machine import scaled
from harness.waiting import eventually

POINTS = ["delivered", "claimed", "acted", "committing", "committed", "confirmed"]
MOSTLY_ROWS = {
    "disk.create": 90, "disk.create-snapshot": 4, "disk.reconcile-volume": 3, "reservation.map-dns": 2, "doomed": 1}


def deaths(experiment) -> int:
    """How many replicas die: at most as many as one job may be in without being taken for the cause (WORKER_MAX_STARTS).

    Each more makes those that were in all before wait twice as long.
    """
    return int(experiment.size(3, 5))


@pytest.mark.experiment(1, "`kill -9` at every step of a job")
@pytest.mark.parametrize("point", POINTS)
def test_death_at_every_step(experiment, point):
    keeper = experiment.keep(2, lambda number: {
        "GPUDEV_KILL_AT": f"{point}:{experiment.random.randint(1, 30)}"} if number < deaths(experiment) else {})
    experiment.flood(200)
    eventually("the replicas have died", lambda: keeper.started >= deaths(experiment) + 2 or not experiment.waiting(), 30)
    experiment.hasten()
    experiment.recover(15)
    experiment.verdict()


@pytest.mark.experiment(1, "`kill -9` at every step of a job")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_death_with_a_request_on_the_wire(experiment, proxy, moment):
    """AWS has, or has not yet, done what it was asked when the process that asked dies."""
    experiment.environment["AWS_ENDPOINT_URL"] = proxy.url
    experiment.keep(2)
    victims = iter(range(deaths(experiment)))

    def strike(*_) -> None:
        if experiment.living and next(victims, None) is not None:
            experiment.random.choice(experiment.living).kill()

    for action in ("CreateSnapshot", "CreateTargetGroup"):
        getattr(proxy, moment)(action, strike)
    experiment.flood(200)
    experiment.recover(20)
    experiment.verdict()


@pytest.mark.experiment(1, "`kill -9` at every step of a job")
def test_death_while_draining(experiment):
    """Each replica is told to end under load, and dies as it begins to."""
    experiment.keep(2, lambda number: {"GPUDEV_KILL_AT": "draining:1"} if number < deaths(experiment) else {})
    with experiment.flooding(200, per_second=40):
        for _ in range(deaths(experiment)):
            time.sleep(0.7)
            for replica in experiment.living[:1]:
                replica.send(signal.SIGTERM)
    experiment.recover(15)
    experiment.verdict()


@pytest.mark.experiment(2, "Random `kill -9` of a replica every 2 s")
def test_random_deaths(experiment):
    # There are more deaths than a job is forgiven, and none of them is a job's fault.
    experiment.environment["WORKER_MAX_STARTS"] = "1000"
    experiment.keep(3)
    ended = threading.Event()

    def kill_now_and_then() -> None:
        while not ended.wait(2):
            if experiment.living:
                experiment.random.choice(experiment.living).kill()

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    experiment.flood(experiment.size(1000, 10_000), MOSTLY_ROWS)
    eventually("most is done", lambda: experiment.backlog() < 20, 600)
    ended.set()
    killer.join()
    experiment.recover(15)
    experiment.verdict(120)


@pytest.mark.experiment(3, "SIGTERM with short, long and endless jobs running")
def test_the_end_of_a_replica(experiment, proxy):
    """What ends within the grace is finished; the rest goes back with no attempt used."""
    grace = experiment.size(6, 30)
    short, long = experiment.size(1, 3), experiment.size(4, 25)
    experiment.environment |= {"AWS_ENDPOINT_URL": proxy.url, "WORKER_SHUTDOWN_GRACE": f"{grace}s"}
    delays = {1: short, 2: long, 3: 10 * grace}

    def hold(number: int) -> tuple[int, str] | None:
        time.sleep(delays.get(number, 0))
        # What has been given up long ago does not take effect any more.
        return (503, "") if number == 3 else None

    proxy.before("CreateSnapshot", hold)
    leaving, = experiment.start()
    experiment.flood(200)
    eventually("the slow jobs run", lambda: proxy.count("CreateSnapshot") >= 3)
    started = time.monotonic()
    assert leaving.stop(grace + 10) == 0
    assert time.monotonic() - started < scaled(grace + 3)
    experiment.start(2)
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0
    experiment.recover(20)
    experiment.verdict(120)
    assert experiment.count("job_ledger WHERE state = 'succeeded' AND attempts <> 1") == 0


@pytest.mark.experiment(4, "A second SIGTERM; SIGSTOP and late SIGCONT")
def test_a_second_signal(experiment, proxy):
    experiment.environment["AWS_ENDPOINT_URL"] = proxy.url
    # AWS carries out what the dead worker asked for, within the time that is allowed for that.
    proxy.before("CreateSnapshot", lambda number: time.sleep(8) if number <= 2 else None)
    leaving, _ = experiment.start(2)
    experiment.flood(200)
    eventually("slow jobs run", lambda: proxy.count("CreateSnapshot") >= 2)
    leaving.send(signal.SIGTERM)
    time.sleep(0.3)
    leaving.send(signal.SIGTERM)
    assert leaving.wait(3) in (0, 128 + signal.SIGTERM)
    experiment.start()
    experiment.recover(15)
    experiment.verdict(90)


@pytest.mark.experiment(4, "A second SIGTERM; SIGSTOP and late SIGCONT")
def test_a_process_that_sleeps_and_wakes(experiment):
    """The broker and PostgreSQL have given its work away by the time it wakes; it must write nothing of it."""
    sleeper, _ = experiment.start(2, WORKER_DEADLINE="10s")
    with experiment.flooding(200, per_second=50):
        time.sleep(1)
        sleeper.send(signal.SIGSTOP)
    # Messages that the sleeper holds come back when its heartbeats have stayed out.
    time.sleep(experiment.size(35, 90))
    sleeper.send(signal.SIGCONT)
    experiment.recover(15)
    experiment.verdict(120)
