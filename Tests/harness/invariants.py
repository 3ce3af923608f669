"""What must hold after every fault, once the queues have drained; judged from outside."""

from harness.waiting import eventually


def check(system, jobs: list[str], dead: list[str] = (), seconds: float = 40) -> None:
    """Every job in `jobs` has succeeded exactly once, and every one in `dead` has died."""
    ended = "SELECT count(*) FROM job_ledger WHERE state IN ('succeeded', 'dead')"
    eventually("every job has ended", lambda: system.value(ended) == len(jobs) + len(dead), seconds)
    eventually("the outbox is empty", lambda: system.value("SELECT count(*) FROM outbox") == 0, seconds)
    eventually("the queues are empty", lambda: not (system.depth("disks") or system.depth("reservations")), seconds)
    states = dict(system.rows("SELECT job_id::text, state FROM job_ledger"))
    assert states == dict.fromkeys(jobs, "succeeded") | dict.fromkeys(dead, "dead")
    expected = {f"{job}.completed" for job in jobs} | {f"{job}.failed.1" for job in dead}
    assert {event["id"] for event in system.events()} == expected
    tries = system.rows(
        "SELECT job_id FROM job_ledger l WHERE attempts <> (state = 'succeeded')::int +"
        " (SELECT count(*) FROM job_attempts a WHERE a.job_id = l.job_id)")
    assert tries == []
