"""reservation.extend: a later end within 48 hours of the launch, for host name and route too, once however often it comes."""

import datetime
import random
import uuid

import pytest

from harness.waiting import eventually

KIND = "reservation.extend"
NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def add(system, status: str = "active", launched=-HOUR, left=HOUR, **columns) -> str:
    """A reservation of alice's for two hours, half of which are over."""
    reservation = str(uuid.uuid4())
    times = {"launched_at": launched and NOW + launched, "expires_at": left and NOW + left}
    system.add_reservation(reservation, status, duration_hours=2, **times | columns)
    return reservation


def extend(system, reservation: str, end: datetime.datetime | str, **more) -> dict:
    time = end if isinstance(end, str) else end.isoformat()
    job = system.publish(KIND, {"reservation_id": reservation, "expires_at": time} | more)
    return system.event(job)


def row(system, reservation: str, columns: str = "status, expires_at, duration_hours") -> tuple:
    return system.rows(f"SELECT {columns} FROM reservations WHERE reservation_id = %s", reservation)[0]


def test_end_host_name_and_route_move_together_and_warnings_begin_anew(system):
    reservation, other = add(system), add(system)
    system.rows(
        "UPDATE reservations SET warnings_sent = '{\"30min_warning_sent\": true}', last_warning_time = 1, warning = 'soon'")
    for owner in (reservation, other):
        name = f"name-{owner[:8]}"
        system.rows(
            "INSERT INTO domain_mappings (domain_name, node_ip, node_port, reservation_id, expires_at)"
            " VALUES (%s, '10.0.1.7', 30022, %s, %s)", name, owner, NOW + HOUR)
        system.rows(
            "INSERT INTO alb_target_groups (reservation_id, domain_name, expires_at) VALUES (%s, %s, %s)", owner, name, NOW + HOUR)
    system.start()
    end = NOW + 3 * HOUR
    event = extend(system, reservation, end)
    assert event["type"] == f"{KIND}.completed" and event["subject"] == f"reservation/{reservation}", event
    assert event["data"]["changed"] is True
    assert datetime.datetime.fromisoformat(event["data"]["expires_at"]) == pytest.approx(end, abs=datetime.timedelta(milliseconds=1))
    assert row(system, reservation, "expires_at, warnings_sent, last_warning_time, warning") == (end, {}, None, None)
    assert row(system, reservation, "duration_hours")[0] == pytest.approx(4)
    note = row(system, reservation, "status_history")[0][-1]
    assert note["status"] == "active" and note["message"].startswith("extended until ")
    for table in ("domain_mappings", "alb_target_groups"):
        ends = dict(system.rows(f"SELECT reservation_id, expires_at FROM {table}"))
        assert ends == {reservation: end, other: NOW + HOUR}
    assert row(system, other) == ("active", NOW + HOUR, 2)


def test_a_repetition_changes_nothing(system):
    reservation = add(system)
    system.start()
    end = NOW + 2 * HOUR
    assert extend(system, reservation, end)["data"]["changed"] is True
    assert extend(system, reservation, end)["data"]["changed"] is False
    assert row(system, reservation, "duration_hours")[0] == pytest.approx(3)
    assert len(row(system, reservation, "status_history")[0]) == 1


@pytest.mark.parametrize(("columns", "end", "code"), [
    ({"status": "expired"}, NOW + 2 * HOUR, "reservation-ended"),
    ({"status": "cancelled"}, NOW + 2 * HOUR, "reservation-ended"),
    ({"status": "queued", "launched": None, "left": None}, NOW + 2 * HOUR, "reservation-not-launched"),
    ({"status": "pending", "launched": None}, NOW + 2 * HOUR, "reservation-not-launched"),
    ({}, NOW + HOUR / 2, "expiry-earlier"),
    ({}, NOW - 2 * HOUR, "expiry-earlier"),
    ({"left": -2 * HOUR, "launched": -3 * HOUR}, NOW - HOUR, "expiry-past"),
    ({}, NOW + 47 * HOUR + datetime.timedelta(seconds=1), "too-long"),
    ({"launched": -47 * HOUR}, NOW + 2 * HOUR, "too-long"),
    ({}, "9999-12-31T23:59:59Z", "too-long"),
], ids=lambda value: value if isinstance(value, str) else None)
def test_what_cannot_be_is_refused_and_nothing_changes(system, columns, end, code):
    reservation = add(system, **columns)
    before = row(system, reservation, "status, expires_at, duration_hours, warnings_sent, status_history")
    system.start()
    data = extend(system, reservation, end)["data"]
    assert (data["reason"], data["code"]) == ("rejected", code)
    assert row(system, reservation, "status, expires_at, duration_hours, warnings_sent, status_history") == before


def test_another_users_reservation_and_one_that_does_not_exist_are_refused(system):
    reservation = add(system)
    system.start()
    assert extend(system, reservation, NOW + 2 * HOUR, user_id="bob")["data"]["code"] == "foreign-reservation"
    assert extend(system, str(uuid.uuid4()), NOW + 2 * HOUR)["data"]["code"] == "unknown-reservation"
    assert row(system, reservation) == ("active", NOW + HOUR, 2)
    assert extend(system, reservation, NOW + 2 * HOUR, user_id="alice")["data"]["changed"] is True


@pytest.mark.parametrize("time", ["tomorrow", "2031-02-30T00:00:00Z", "2031-02-03T04:05:06", ""])
def test_what_is_no_time_is_refused(system, time):
    reservation = add(system)
    system.start()
    job = system.publish(KIND, {"reservation_id": reservation, "expires_at": time}, checked=False)
    data = system.event(job)["data"]
    assert data["reason"] == "invalid-payload" and "expires_at" in data["error"]


def test_the_last_moment_of_48_hours_can_be_had(system):
    reservation = add(system)
    system.start()
    end = NOW + 47 * HOUR
    assert extend(system, reservation, end)["data"]["changed"] is True
    assert row(system, reservation, "expires_at") == (end,)


def test_many_at_once_leave_the_latest_end_and_hours_that_agree(system, pytestconfig):
    """Whatever the order and however often each comes: the end only grows, and the hours are what it grew by."""
    draw = random.Random(pytestconfig.getoption("--seed"))
    reservation = add(system)
    ends = [NOW + HOUR + draw.random() * 40 * HOUR for _ in range(8)]
    system.start(2)
    jobs = [
        system.publish(KIND, {"reservation_id": reservation, "expires_at": end.isoformat()})
        for end in draw.choices(ends, k=20) + ends]
    state = "SELECT count(*) FROM job_ledger WHERE job_id = ANY(%s::uuid[]) AND state IN ('succeeded', 'dead')"

    def are_done() -> bool:
        system.hurry()
        return system.value(state, jobs) == len(jobs)

    eventually("all have been tried", are_done)
    status, end, hours = row(system, reservation)
    assert (status, end) == ("active", max(ends))
    assert hours == pytest.approx(2 + (end - NOW - HOUR) / HOUR, abs=1e-6)
