"""The relay of the outbox and of the schedules: nothing that is bad there stops what is good."""

import json
import uuid

import psycopg
import pytest

from harness.database import MIGRATIONS, create_database, database_url, drop_database, migrate, server_url
from harness.waiting import eventually

CREATE = {"user_id": "alice", "disk_name": "home"}


def canaries(system, number: int = 1) -> None:
    """A job by AMQP and one by SQL are done, one after the other's event."""
    by_message = system.publish("disk.create", {"user_id": "alice", "disk_name": f"amqp{number}"})
    by_row = str(system.value(
        "SELECT enqueue_job('disk.create', %s::jsonb)", json.dumps({"user_id": "alice", "disk_name": f"sql{number}"})))
    for job in (by_message, by_row):
        assert system.event(job)["type"] == "disk.create.completed"


# ---- schedules --------------------------------------------------------------------------------------------


def test_a_bad_schedule_disables_itself_and_stops_nobody(system):
    replica, = system.start()
    big = json.dumps({"text": "x" * (1 << 20)})
    system.rows(
        "INSERT INTO job_schedules (name, kind, payload, every, next_run_at)"
        " VALUES ('bad', 'disk.reconcile-all', %s, '1 s', now()), ('good', 'disk.unheard-of', '{}', '1 s', now())", big)
    canaries(system)
    eventually("the good one runs", lambda: system.value("SELECT last_job_id FROM job_schedules WHERE name = 'good'"))
    bad = next(row for row in json.loads(system.call("schedule", "list")) if row["name"] == "bad")
    assert not bad["is_enabled"] and "over 1 MiB" in bad["last_error"]
    doctor = system.run("doctor")
    assert doctor.returncode == 1
    assert "FAIL schedules: bad disabled itself" in doctor.stdout
    eventually("it is counted", lambda: replica.admin.scrape().by("gpudev_schedules_failed")[()] == 1)

    system.call("schedule", "set", "bad", "disk.reconcile-all", "{}", "--every", "1h")
    assert system.rows("SELECT is_enabled, last_error FROM job_schedules WHERE name = 'bad'") == [(True, None)]
    assert "ok   schedules" in system.run("doctor").stdout


def test_a_schedule_that_no_worker_could_run_is_refused(system):
    system.start()
    result = system.run("schedule", "set", "nightly", "disk.reconcile_all", "{}", "--every", "1s")
    assert result.returncode == 64, result.stderr
    assert system.value("SELECT count(*) FROM job_schedules WHERE name = 'nightly'") == 0
    canaries(system)


@pytest.mark.parametrize(("kind", "payload", "every", "due"), [
    ("disk.reconcile_all", "{}", "1 s", "now()"), ("disk.create", "[]", "1 s", "now()"),
    ("disk.create", "{}", "178000000 years", "now()"), ("disk.create", "{}", "1 s", "'infinity'"),
    ("disk.create", "{}", "1 s", "'-infinity'"), ("disk." + "x" * 240, "{}", "1 s", "now()"),
])
def test_the_table_takes_no_schedule_that_cannot_run(database, kind, payload, every, due):
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute(
            f"INSERT INTO job_schedules (name, kind, payload, every, next_run_at) VALUES ('x', %s, %s, %s, {due})",
            [kind, payload, every])


def test_a_fault_that_is_not_the_schedules_own_leaves_it_enabled(database):
    database.execute("INSERT INTO job_schedules (name, kind, every) VALUES ('sync', 'disk.reconcile-all', '5 minutes')")
    database.execute("ALTER TABLE outbox RENAME TO elsewhere")
    assert database.execute("SELECT enqueue_due_schedules()").fetchone() == (0,)
    database.execute("ALTER TABLE elsewhere RENAME TO outbox")
    assert database.execute("SELECT enqueue_due_schedules()").fetchone() == (1,)


def test_a_period_passes_while_the_last_job_is_not_done(database):
    def tick() -> int:
        database.execute("UPDATE job_schedules SET next_run_at = now()")
        return database.execute("SELECT enqueue_due_schedules()").fetchone()[0]

    def last_job_becomes(state: str) -> None:
        database.execute(
            "INSERT INTO job_ledger (job_id, kind, state) SELECT last_job_id, kind, %s FROM job_schedules"
            " ON CONFLICT (job_id) DO UPDATE SET state = excluded.state", [state])

    database.execute("INSERT INTO job_schedules (name, kind, every) VALUES ('sync', 'disk.reconcile-all', '5 minutes')")
    assert [tick(), tick()] == [1, 0]
    last_job_becomes("running")
    assert tick() == 0
    last_job_becomes("succeeded")
    assert [tick(), tick()] == [1, 0]
    database.execute("UPDATE job_schedules SET last_run_at = now() - interval '61 minutes'")
    assert tick() == 1, "its message was lost"


# ---- rows -------------------------------------------------------------------------------------------------

BAD_ROWS = {
    "headers that are no list": {"headers": '{"a": 1}'},
    "a header of no type": {"headers": '[["a", "Q", 1]]'},
    "a number that does not fit": {"headers": '[["a", "b", 4096]]'},
    "a deep table": {"headers": '[["a", "A", ' + "[" * 4000 + "]" * 4000 + "]]"},
    "properties that are no object": {"properties": "[1]"},
    "a priority that does not fit": {"properties": '{"priority": 4096}'},
    "a key over 255 bytes": {"routing_key": "disk." + "x" * 300},
    "an id over 255 bytes": {"message_id": "x" * 300},
    "headers over a frame": {"headers": json.dumps([["a", "S", "x" * 200_000]])},
    "a body over 16 MiB": {"body": b"x" * (17 << 20)},
}


def insert(system, **columns) -> int:
    values = {"destination": "jobs", "routing_key": "disk.create", "message_id": str(uuid.uuid4()), "body": b"{}",
              "available_at": "2001-01-01"} | columns
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    return system.value(f"INSERT INTO outbox ({names}) VALUES ({marks}) RETURNING id", *values.values())


def test_rows_that_can_never_be_sent_are_set_aside_and_stop_nobody(system):
    ids = [insert(system, **columns) for columns in BAD_ROWS.values()]
    replica, = system.start()
    canaries(system)
    count = "SELECT count(*) FROM outbox WHERE set_aside_at IS NOT NULL"
    eventually("they are set aside", lambda: system.value(count) == len(ids))
    others = "SELECT count(*) FROM outbox WHERE set_aside_error IS NULL"
    eventually("all others are gone", lambda: system.value(others) == 0)
    doctor = system.run("doctor")
    assert doctor.returncode == 1 and f"FAIL outbox: {len(ids)} messages are set aside; row" in doctor.stdout
    eventually("they are counted", lambda: replica.admin.scrape().by("gpudev_outbox_set_aside_rows")[()] == len(ids))

    job = str(uuid.uuid4())
    system.rows(
        "UPDATE outbox SET set_aside_at = NULL, set_aside_error = NULL, tries = 0, available_at = now(),"
        " message_id = %s, headers = NULL, body = convert_to(%s, 'UTF8') WHERE id = %s", job, json.dumps(CREATE), ids[0])
    assert system.event(job)["type"] == "disk.create.completed"
    assert system.value(count) == len(ids) - 1


@pytest.mark.parametrize("due", ["4713-01-01 BC", "0001-01-01", "1969-12-31"])
def test_a_row_of_any_finite_past_goes_out(system, due):
    system.start()
    job = str(uuid.uuid4())
    insert(system, available_at=due, message_id=job, type="disk.create", body=json.dumps(CREATE).encode())
    assert system.event(job)["type"] == "disk.create.completed"


def test_a_row_of_a_far_future_keeps_nobody_waiting(system):
    insert(system, available_at="294276-01-01")
    system.start()
    canaries(system)


@pytest.mark.parametrize("time", ["infinity", "-infinity"])
def test_no_job_is_due_at_an_infinite_time(database, time):
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        database.execute("SELECT enqueue_job('disk.create', '{}', run_at => %s)", [time])
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute(
            "INSERT INTO outbox (available_at, destination, routing_key, body) VALUES (%s, 'jobs', 'disk.create', '')",
            [time])


def test_an_upgrade_puts_what_could_never_work_out_of_the_way():
    """The rows stand in the schema as it was before it refused them."""
    name = f"test_{uuid.uuid4().hex}"
    create_database(name, server_url())
    with psycopg.connect(database_url(name, server_url()), autocommit=True) as database:
        migrate(database, MIGRATIONS[:4])
        for due in ("infinity", "-infinity", "2001-01-01"):
            database.execute(
                "INSERT INTO outbox (available_at, destination, routing_key, body) VALUES (%s, 'jobs', 'k', '')", [due])
        database.execute(
            "INSERT INTO job_schedules (name, kind, payload, every, next_run_at) VALUES"
            " ('kind', 'Disk', '{}', '1 s', now()), ('payload', 'disk.create', '[]', '1 s', now()),"
            " ('due', 'disk.create', '{}', '1 s', '-infinity'), ('every', 'disk.create', '{}', '1000 years', now()),"
            " ('good', 'disk.create', '{}', '1 s', now())")
        migrate(database, MIGRATIONS[4:])
        assert database.execute(
            "SELECT count(*), count(set_aside_at), count(set_aside_error) FROM outbox").fetchone() == (3, 2, 2)
        assert database.execute(
            "SELECT name FROM job_schedules WHERE is_enabled").fetchall() == [("good",)]
        assert database.execute(
            "SELECT count(*) FROM job_schedules WHERE last_error IS NOT NULL AND isfinite(next_run_at)"
        ).fetchone() == (4,)
        assert database.execute("SELECT enqueue_due_schedules()").fetchone() == (1,)
    drop_database(name, server_url())
