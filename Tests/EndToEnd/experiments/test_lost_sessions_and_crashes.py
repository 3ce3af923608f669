"""Workers that lose their sessions under a slow AWS, and crashes that come one after the other."""

import threading
import time

import pytest

from harness.waiting import eventually

LOCKS = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
        AND (classid::bigint << 32) | objid::bigint IN (SELECT lock FROM workers)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.mark.experiment(27, "Sessions of the workers ended every 100 ms under a slow AWS call")
def test_lost_sessions_under_slow_calls(experiment, proxy):
    """What one holds nobody else may act on, however often its lock is free."""
    experiment.environment["AWS_ENDPOINT_URL"] = proxy.url
    at_once: list[int] = [0, 0]
    guard = threading.Lock()

    def begin(number: int) -> None:
        with guard:
            at_once[0] += 1
            at_once[1] = max(at_once)
        time.sleep(experiment.size(8, 30) if number == 1 else 0)

    def end() -> None:
        with guard:
            at_once[0] -= 1

    proxy.before("CreateSnapshot", begin)
    proxy.after("CreateSnapshot", end)
    experiment.start(2)
    same = [
        experiment.load.add("disk.create-snapshot", {"user_id": "alice", "disk_name": "home0"}) for _ in range(6)]
    with experiment.submitting(same + experiment.load.draw(200, {"disk.create": 9, "reservation.map-dns": 1}), 40):
        eventually("the first is with AWS", lambda: at_once[0])
        for _ in range(30):
            experiment.rows(f"SELECT pg_terminate_backend(pid) FROM ({LOCKS}) l")
            time.sleep(0.1)
    experiment.recover()
    experiment.verdict(120)
    assert at_once[1] == 1, "calls that change one disk overlapped"
    experiment.note = "all calls for one disk came one after the other"


@pytest.mark.experiment(30, "Twenty `kill -9` of two replicas in thirty seconds")
def test_a_crash_storm(experiment):
    """Five deaths make a job poison, but not within a minute of crashes that are none of its doing."""
    experiment.keep(2)
    with experiment.flooding(200, per_second=8):
        for _ in range(20):
            time.sleep(1.5)
            for replica in experiment.random.sample(experiment.living, min(1, len(experiment.living))):
                replica.kill()
    experiment.recover(30)
    experiment.verdict(240)
    assert experiment.count("job_ledger WHERE state = 'dead' AND error_code = 'poison'") == 0
