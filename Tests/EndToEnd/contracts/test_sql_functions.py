"""The functions in the worker's own schema, as producers and workers call them in SQL."""

import json
import threading
import uuid

import psycopg
import pytest

from harness.machine import scaled

CLAIM = """
    INSERT INTO job_ledger (job_id, kind, state, starts, holder, exclusive_key)
    VALUES (%s, 'disk.restore', 'running', 1, 7, %s)
"""
SETTLE = "SELECT settle_job(%s, %s, %s, %s, %s, NULL, NULL)"


def ledger_row(database, job_id):
    columns = "state, attempts, starts, snoozes, deaths, holder, finished_at IS NOT NULL"
    return database.execute(f"SELECT {columns} FROM job_ledger WHERE job_id = %s", [job_id]).fetchone()


@pytest.mark.parametrize(
    ("state", "uses_attempt", "expected"),
    [
        ("succeeded", True, ("succeeded", 1, 1, 0, 0, None, True)),
        ("waiting", True, ("waiting", 1, 0, 0, 0, None, False)),
        ("waiting", False, ("waiting", 0, 0, 1, 0, None, False)),
        ("dead", True, ("dead", 1, 0, 0, 1, None, True)),
        ("dead", False, ("dead", 0, 0, 0, 1, None, True)),
    ],
)
def test_a_running_job_moves_to_its_fate(database, state, uses_attempt, expected):
    job_id = uuid.uuid4()
    database.execute(CLAIM, [job_id, None])
    database.execute(SETTLE, [job_id, 7, 1, state, uses_attempt])
    assert ledger_row(database, job_id) == expected


@pytest.mark.parametrize(("holder", "start"), [(8, 1), (7, 2)])
def test_a_worker_that_was_overtaken_writes_nothing(database, holder, start):
    job_id = uuid.uuid4()
    database.execute(CLAIM, [job_id, None])
    with pytest.raises(psycopg.Error) as refusal, database.transaction():
        database.execute("INSERT INTO outbox (destination, routing_key, body) VALUES ('events', 'k', '')")
        database.execute(SETTLE, [job_id, holder, start, "succeeded", True])
    assert refusal.value.sqlstate == "GW001"
    assert ledger_row(database, job_id)[0] == "running"
    assert database.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_a_job_is_settled_once(database):
    job_id = uuid.uuid4()
    database.execute(CLAIM, [job_id, None])
    database.execute(SETTLE, [job_id, 7, 1, "succeeded", True])
    with pytest.raises(psycopg.Error) as refusal:
        database.execute(SETTLE, [job_id, 7, 1, "dead", True])
    assert refusal.value.sqlstate == "GW001"


def test_two_running_jobs_cannot_hold_one_key_but_a_finished_one_frees_it(database):
    first, second = uuid.uuid4(), uuid.uuid4()
    database.execute(CLAIM, [first, "disk:alice/home"])
    with pytest.raises(psycopg.errors.UniqueViolation) as refusal:
        database.execute(CLAIM, [second, "disk:alice/home"])
    assert refusal.value.diag.constraint_name == "job_ledger_exclusive_key"
    database.execute(SETTLE, [first, 7, 1, "waiting", True])
    database.execute(CLAIM, [second, "disk:alice/home"])


def test_enqueue_job_writes_the_message_in_the_callers_transaction(database):
    payload = {"user_id": "älice", "disk_name": "home"}
    (job_id,) = database.execute("SELECT enqueue_job('disk.create', %s)", [json.dumps(payload)]).fetchone()
    message = database.execute(
        "SELECT destination, routing_key, type, message_id, content_type, body FROM outbox"
    ).fetchone()
    assert message[:5] == ("jobs", "disk.create", "disk.create", str(job_id), "application/json")
    assert json.loads(message[5]) == payload

    with database.transaction(force_rollback=True):
        database.execute("SELECT enqueue_job('disk.create', '{}')")
    assert database.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def test_enqueue_job_takes_an_id_and_a_time(database):
    job_id = uuid.uuid4()
    database.execute("SELECT enqueue_job('disk.create', '{}', %s, now() + interval '1 hour')", [job_id])
    assert database.execute(
        "SELECT message_id, available_at > now() + interval '59 minutes' FROM outbox"
    ).fetchone() == (str(job_id), True)


@pytest.mark.parametrize(("kind", "payload"), [("Disk create", "{}"), (None, "{}"), ("disk.create", "[]"),
                                               ("disk.create", None), ("disk", "{}")])
def test_enqueue_job_refuses_what_no_worker_could_run(database, kind, payload):
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        database.execute("SELECT enqueue_job(%s, %s::jsonb)", [kind, payload])


def test_enqueue_job_wakes_whoever_listens(database):
    database.execute("LISTEN gpudev_outbox")
    database.execute("SELECT enqueue_job('disk.create', '{}')")
    assert [note.channel for note in database.notifies(timeout=scaled(5), stop_after=1)] == ["gpudev_outbox"]


def jobs(database, *items):
    return database.execute("SELECT job_id, is_new FROM enqueue_jobs(%s::jsonb)", [json.dumps(items)]).fetchall()


def test_enqueue_jobs_writes_as_many_messages_and_wakes_once(database):
    database.execute("LISTEN gpudev_outbox")
    mine, trace = uuid.uuid4(), f"00-{'a' * 32}-{'b' * 16}-01"
    rows = jobs(database, {"kind": "disk.create", "payload": {"disk_name": "älice \\ \""}},
                {"kind": "disk.delete", "payload": {}, "job_id": str(mine), "run_at": "2100-01-02T03:04:05+01:00",
                 "traceparent": trace, "unique_key": None})
    assert [is_new for _, is_new in rows] == [True, True] and rows[1][0] == mine
    first, second = database.execute(
        "SELECT message_id, routing_key, type, headers, convert_from(body, 'UTF8')::jsonb, available_at <= now(),"
        " available_at = '2100-01-02T02:04:05Z' FROM outbox ORDER BY id").fetchall()
    asked = ["x-requested-by", "S", f"sql:{database.info.user}"]
    assert first == (str(rows[0][0]), "disk.create", "disk.create", [asked], {"disk_name": "älice \\ \""}, True, False)
    assert second == (str(mine), "disk.delete", "disk.delete", [asked, ["traceparent", "S", trace]], {}, False, True)
    assert len(list(database.notifies(timeout=scaled(1)))) == 1
    assert jobs(database) == []


@pytest.mark.parametrize(("wrong", "told"), [
    ([], "must be a JSON object"), ({"payload": {}}, "kind NULL is not a name"),
    ({"kind": "disk", "payload": {}}, "kind 'disk' is not a name"), ({"kind": "disk.create"}, "payload must be a JSON object"),
    ({"kind": "disk.create", "payload": {}, "runat": "x"}, "has a member runat"),
    ({"kind": "disk.create", "payload": {}, "job_id": "7"}, "uuid"),
    ({"kind": "disk.create", "payload": {}, "run_at": "soon"}, "timestamp"),
    ({"kind": "disk.create", "payload": {}, "run_at": "infinity"}, "run_at must be finite"),
    ({"kind": "disk.create", "payload": {}, "unique_key": ""}, "unique_key must have"),
    ({"kind": "disk.create", "payload": {"a": "x" * 1048577}}, "over 1 MiB"),
])
def test_enqueue_jobs_names_the_job_at_fault_and_enqueues_none(database, wrong, told):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=rf"job 2: .*{told}"):
        jobs(database, {"kind": "disk.create", "payload": {}, "unique_key": "k"}, wrong)
    assert not database.execute("SELECT FROM outbox").fetchall()
    assert not database.execute("SELECT FROM job_ledger").fetchall()


@pytest.mark.parametrize("value", ["{}", "7", "null"])
def test_enqueue_jobs_takes_an_array_only(database, value):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="must be a JSON array"):
        database.execute("SELECT enqueue_jobs(%s::jsonb)", [value])


def test_an_id_that_the_ledger_knows_is_not_enqueued_again(database):
    known = uuid.uuid4()
    database.execute("INSERT INTO job_ledger (job_id, kind, state) VALUES (%s, 'disk.create', 'succeeded')", [known])
    for key in (None, "k"):
        assert jobs(database, {"kind": "disk.create", "payload": {}, "job_id": str(known), "unique_key": key}) == [(known, False)]
    assert not database.execute("SELECT FROM outbox").fetchall()


@pytest.mark.parametrize(("state", "is_held"), [("succeeded", False), ("dead", False), ("waiting", True)])
def test_one_unfinished_job_stands_for_its_unique_key(database, state, is_held):
    item = {"kind": "disk.prune-snapshots", "payload": {}, "unique_key": "prune"}
    (first, is_new), again = jobs(database, item, item)
    assert is_new and again == (first, False)
    database.execute("UPDATE job_ledger SET state = 'running', starts = 1, holder = 7")
    assert jobs(database, item) == [(first, False)]
    assert jobs(database, item | {"unique_key": "other"})[0][1]
    database.execute(SETTLE, [first, 7, 1, state, True])
    (next_job, is_new), = jobs(database, item)
    assert (is_new, next_job == first) == (not is_held, is_held)
    assert database.execute("SELECT count(*) FROM outbox").fetchone() == (2 + (not is_held),)
    if state == "dead":
        # A replay brings it back, whoever has the key now.
        database.execute("UPDATE job_ledger SET state = 'waiting' WHERE job_id = %s", [first])


def test_many_who_ask_at_once_get_one_job(database):
    found, item = [], {"kind": "disk.prune-snapshots", "payload": {}, "unique_key": "prune"}

    def ask():
        with psycopg.connect(database.info.dsn, password=database.info.password or None) as session:
            found.extend(jobs(session, item))

    in_threads(ask)
    assert len({job for job, _ in found}) == 1 and sorted(is_new for _, is_new in found) == [False] * 7 + [True]
    assert database.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def test_a_due_schedule_is_enqueued_once_however_many_ask(database):
    database.execute(
        "INSERT INTO job_schedules (name, kind, every) VALUES ('sync', 'disk.reconcile-all', '5 minutes')"
    )
    database.execute(
        "INSERT INTO job_schedules (name, kind, every, is_enabled) VALUES ('off', 'disk.off', '1 hour', false)"
    )
    tick_from_several_sessions(database.info)
    assert database.execute("SELECT type FROM outbox").fetchall() == [("disk.reconcile-all",)]
    assert database.execute(
        "SELECT next_run_at > now() + interval '4 minutes', last_job_id::text = (SELECT message_id FROM outbox)"
        " FROM job_schedules WHERE name = 'sync'"
    ).fetchone() == (True, True)


def test_periods_missed_while_nobody_ran_are_not_made_up_for(database):
    database.execute(
        "INSERT INTO job_schedules (name, kind, every, next_run_at)"
        " VALUES ('sync', 'disk.reconcile-all', '5 minutes', now() - interval '1 day')"
    )
    ticks = [database.execute("SELECT enqueue_due_schedules()").fetchone() for _ in range(3)]
    assert ticks == [(1,), (0,), (0,)]


def tick_from_several_sessions(info):
    def tick():
        with psycopg.connect(info.dsn, password=info.password or None) as session:
            session.execute("SELECT enqueue_due_schedules()")

    in_threads(tick)


def in_threads(body):
    threads = [threading.Thread(target=body) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=scaled(20))
        assert not thread.is_alive()
