"""An upgrade from the schema of version 0.1.0, and back to that version's program for one release.

The database is as 0.1.0 left it: its four migrations and rows in every state. The way back is shown in two ways: the
statements of 0.1.0, kept here to the letter, still do on the new schema what they did; and where that program is at
hand (`GPUDEV_FORMER_PROGRAM`), it takes turns with the new one under load.
"""

import hashlib
import json
import os
import pathlib
import uuid

import psycopg
import pytest

from harness.aws.cloud import Cloud
from harness.database import fetched
from harness.experiment import Experiment
from harness.repository import ROOT
from harness.waiting import eventually
from harness.worker_system import WorkerSystem

FORMER_PROGRAM = os.environ.get("GPUDEV_FORMER_PROGRAM")
FORMER_MIGRATIONS = ["0001_platform", "0002_worker", "0003_suspects", "0004_traces"]
ALIVE, GONE = 7_001, 7_002
"""Advisory locks of two former workers: one lives, one is dead."""


def apply_former_schema(database: psycopg.Connection) -> None:
    database.execute(
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())")
    for version, name in enumerate(FORMER_MIGRATIONS, start=1):
        text = (ROOT / "schemas/sql" / f"{name}.sql").read_text()
        database.execute(text)
        database.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
            [version, name.partition("_")[2], hashlib.sha256(text.encode()).hexdigest()])


class FormerRows:
    """What 0.1.0 may have left behind: jobs in all states, and rows that it should never have taken."""

    def __init__(self, database: psycopg.Connection) -> None:
        self.jobs = {state: [str(uuid.uuid4()) for _ in range(3)]
                     for state in ("succeeded", "cancelled", "dead", "waiting", "running")}
        for state, jobs in self.jobs.items():
            for number, job in enumerate(jobs):
                self._add(database, state, number, job)
        database.execute(
            "INSERT INTO job_schedules (name, kind, payload, every, is_enabled) VALUES"
            " ('good', 'disk.reconcile-all', '{}', '5 minutes', true),"
            " ('resting', 'capacity.refresh', '{}', '1 hour', false),"
            " ('typo', 'disk.reconcile_all', '{}', '1 second', true),"
            " ('list', 'disk.reconcile-all', '[]', '1 second', true)")
        database.execute(
            "INSERT INTO job_schedules (name, kind, every, next_run_at) VALUES"
            " ('never', 'disk.reconcile-all', '1 minute', 'infinity'),"
            " ('always', 'capacity.count', '1 minute', '-infinity')")
        for moment in ("-infinity", "infinity"):
            database.execute(
                "INSERT INTO outbox (available_at, destination, routing_key, message_id, type, body)"
                " VALUES (%s, 'jobs', 'disk.create', %s, 'disk.create', '{}')", [moment, str(uuid.uuid4())])
        database.execute(
            "INSERT INTO outbox (destination, routing_key, headers, body)"
            " VALUES ('events', 'disk.create.completed', '{\"not\": \"a table\"}', 'x')")

    def _add(self, database: psycopg.Connection, state: str, number: int, job: str) -> None:
        payload = json.dumps({"user_id": "former", "disk_name": f"{state}-{number}"})
        holder = {"running": [ALIVE, GONE, GONE][number]}.get(state)
        database.execute(
            "INSERT INTO job_ledger (job_id, kind, state, attempts, starts, turns, deaths, worker, holder,"
            " started_at, claimed_until, exclusive_key, error_code, error, finished_at) VALUES"
            " (%s, 'disk.create', %s, %s, %s, %s, %s, 'former', %s, %s, %s, %s, %s, %s, %s)",
            [job, state, number, [1, 1, 3][number] if holder else 0, 1 if state == "waiting" else 0,
             int(state == "dead"), holder, "2026-01-01" if holder else None,
             "2099-01-01" if holder else None, f"disk:former/{state}-{number}" if holder else None,
             "throttled" if state in ("dead", "waiting") else None, "it was" if state == "dead" else None,
             "2026-01-01" if state in ("succeeded", "cancelled", "dead") else None])
        if state in ("dead", "waiting") and number:
            database.execute(
                "INSERT INTO job_attempts (job_id, attempt, started_at, fate, code, error)"
                " VALUES (%s, 1, now(), 'retry', 'throttled', 'slow down')", [job])
        if state in ("waiting", "running"):
            database.execute(
                "INSERT INTO outbox (destination, routing_key, message_id, type, content_type, headers, body)"
                " VALUES ('jobs', 'disk.create', %s, 'disk.create', 'application/json', %s, convert_to(%s, 'UTF8'))",
                [job, json.dumps([["x-turn", "l", 1]]) if state == "waiting" else None, payload])


@pytest.fixture
def former(tmp_path, cloud: Cloud, monkeypatch):
    """A system on a database as 0.1.0 left it, migrated by this program."""
    made: list[FormerRows] = []

    def migrate(system: WorkerSystem, *arguments: str, **settings) -> str:
        if arguments == ("migrate",):
            with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as database:
                apply_former_schema(database)
                made.append(FormerRows(database))
        return call(system, *arguments, **settings)

    call = WorkerSystem.call
    with monkeypatch.context() as patch:
        patch.setattr(WorkerSystem, "call", migrate)
        system = WorkerSystem(tmp_path, cloud.settings())
    system.former = made[0]
    yield system
    print(system.logs())
    system.close()


def test_rows_of_the_former_version_come_through_the_migration(former):
    states = dict(former.rows("SELECT job_id::text, state FROM job_ledger"))
    for state, jobs in former.former.jobs.items():
        assert {states[job] for job in jobs} == {state}
    assert former.value("SELECT count(*) FROM job_attempts") == 4
    assert former.value("SELECT count(*) FROM outbox") == 9, "a message is gone"
    assert former.value("SELECT count(*) FROM job_schedules") == 6
    assert former.call("migrate") == "the schema is current already"


def test_what_the_former_version_had_begun_is_finished_and_bad_rows_stop_nobody(former):
    """The job of the former worker that lives stays its own; those of the dead one and all that waited are done."""
    with psycopg.connect(former.environment["DATABASE_URL"], autocommit=True) as living:
        living.execute("SELECT pg_advisory_lock(%s)", [ALIVE])
        former.start(2)
        mine, *others = former.former.jobs["running"]
        for job in [*former.former.jobs["waiting"], *others]:
            eventually(f"job {job} is done", lambda job=job: former.state(job)[0] == "succeeded", 90)
        assert former.value("SELECT state FROM job_ledger WHERE job_id = %s", mine) == "running"
    eventually("the job of the worker that has ended now", lambda: former.state(mine)[0] == "succeeded", 90)
    by_sql = former.value("""SELECT enqueue_job('disk.create', '{"user_id": "new", "disk_name": "canary"}')""")
    former.event(str(by_sql))
    bad = "SELECT count(*) FROM outbox WHERE set_aside_at IS NOT NULL"
    eventually("rows that can never be sent are set aside and kept", lambda: former.value(bad) == 3)
    failed = former.rows("SELECT name FROM job_schedules WHERE NOT is_enabled AND last_error IS NOT NULL ORDER BY 1")
    assert failed == [("always",), ("list",), ("never",), ("typo",)]


# The statements of 0.1.0, as its program sends them.

CLAIM = """
    INSERT INTO job_ledger AS l
        (job_id, kind, state, starts, replays, worker, holder, started_at, claimed_until, exclusive_key)
    VALUES (%(job)s, 'disk.create-snapshot', 'running', 1, %(replay)s,
        'former', %(holder)s, now(), now() + 70000::bigint * interval '1 ms', %(key)s)
    ON CONFLICT (job_id) DO UPDATE SET
        state = 'running', kind = excluded.kind,
        starts = l.starts + (l.holder IS DISTINCT FROM excluded.holder)::integer,
        replays = greatest(l.replays, excluded.replays),
        previous_start = l.started_at, started_at = now(), worker = excluded.worker, holder = excluded.holder,
        claimed_until = excluded.claimed_until, exclusive_key = excluded.exclusive_key, finished_at = NULL
    WHERE (l.state = 'waiting' AND l.turns <= %(turn)s)
        OR (l.state = 'dead' AND excluded.replays > l.replays)
        OR (l.state = 'running' AND (l.holder = excluded.holder OR l.claimed_until < now()
            OR pg_try_advisory_xact_lock_shared(l.holder)))
    RETURNING starts, attempts, deaths, snoozes, turns,
        previous_start IS NOT NULL AS follows_unsettled_start,
        coalesce((extract(epoch FROM now() - waiting_since) * 1000)::bigint, 0) AS waited
"""
SETTLE = """
    SELECT settle_job(%(job)s::uuid, %(holder)s::bigint, %(start)s::integer, %(state)s::text,
        %(attempt)s::boolean, %(code)s::text, %(error)s::text)
"""
FREE = """
    UPDATE job_ledger SET state = 'waiting', holder = NULL, claimed_until = NULL
    WHERE exclusive_key = %(key)s AND state = 'running'
        AND (claimed_until < now() OR pg_try_advisory_xact_lock_shared(holder))
"""
RELEASE = """
    UPDATE job_ledger SET state = 'waiting', starts = starts - 1, holder = NULL, claimed_until = NULL
    WHERE job_id = %(job)s AND state = 'running' AND holder = %(holder)s AND starts = %(start)s
"""
FAILED_ATTEMPT = """
    INSERT INTO job_attempts (job_id, attempt, started_at, fate, code, error)
    VALUES (%(job)s, 1, now() - 5::bigint * interval '1 ms', 'retry', 'throttled', 'slow down')
"""
SUCCEED_AT_ONCE = """
    INSERT INTO job_ledger (job_id, kind, state, attempts, starts, worker, finished_at)
    VALUES (%(job)s, 'disk.create', 'succeeded', 1, 1, 'former', now())
"""
INSERT_MESSAGE = """
    INSERT INTO outbox (available_at, destination, routing_key, message_id, type, content_type,
        correlation_id, headers, properties, body)
    VALUES (now() + 0::bigint * interval '1 ms', 'jobs', 'disk.create', %(job)s, 'disk.create', 'application/json',
        NULL, NULL::jsonb, NULL::jsonb, '{}')
    RETURNING id
"""
SELECT_DUE = """
    SELECT id, destination, routing_key, message_id, type, content_type, correlation_id,
        headers::text AS headers, properties::text AS properties, body,
        extract(epoch FROM available_at)::bigint AS due_at
    FROM outbox WHERE available_at <= now() ORDER BY available_at, id
    LIMIT 256 FOR UPDATE SKIP LOCKED
"""
SET_SCHEDULE = """
    INSERT INTO job_schedules (name, kind, payload, every, next_run_at)
    VALUES ('mine', 'disk.reconcile-all', '{}'::jsonb, 60000::bigint * interval '1 ms',
        now() + 60000::bigint * interval '1 ms')
    ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, payload = excluded.payload, every = excluded.every
"""
CANCEL = """
    INSERT INTO job_ledger AS l (job_id, kind, state, finished_at)
    VALUES (%(job)s::uuid, coalesce((SELECT type FROM outbox WHERE message_id = %(job)s::text LIMIT 1), 'unknown'),
        'cancelled', now())
    ON CONFLICT (job_id) DO UPDATE SET state = 'cancelled', finished_at = now() WHERE l.state = 'waiting'
"""


class FormerWorker:
    """Sends what the program of 0.1.0 sends."""

    def __init__(self, database: psycopg.Connection) -> None:
        self._database = database
        self._values = {"holder": ALIVE, "key": "disk:former/home", "replay": 0, "turn": 0, "code": None,
                        "error": None, "attempt": True, "job": str(uuid.uuid4())}

    def send(self, statement: str, **values) -> list[tuple]:
        return fetched(self._database.execute(statement, self._values | values))

    def state(self) -> tuple:
        return self.send("SELECT state, attempts, starts, turns FROM job_ledger WHERE job_id = %(job)s")[0]


@pytest.fixture
def worker(database):
    return FormerWorker(database)


def test_the_former_program_claims_retries_and_finishes_a_job(worker):
    assert worker.send(CLAIM) == [(1, 0, 0, 0, 0, False, 0)]
    worker.send(SETTLE, start=1, state="waiting", code="throttled", error="slow down")
    worker.send(FAILED_ATTEMPT)
    assert worker.state() == ("waiting", 1, 0, 1)
    assert worker.send(CLAIM, turn=1)[0][:2] == (1, 1)
    worker.send(RELEASE, start=1)
    assert worker.send(CLAIM, turn=1)[0][:2] == (1, 1)
    worker.send(SETTLE, start=1, state="succeeded")
    assert worker.state() == ("succeeded", 2, 1, 1)
    assert worker.send(CLAIM, turn=1) == [], "a finished job started again"


def test_the_former_program_is_fenced_and_frees_what_the_dead_hold(worker):
    worker.send(CLAIM, holder=GONE)
    with pytest.raises(psycopg.Error) as refusal:
        worker.send(SETTLE, start=1, state="succeeded")
    assert refusal.value.sqlstate == "GW001"
    worker.send(FREE)
    assert worker.state()[0] == "waiting"
    worker.send(CLAIM)
    worker.send(SETTLE, start=worker.state()[2], state="dead", code="payload", error="bad")
    assert worker.state()[0] == "dead"
    assert worker.send(CLAIM, replay=1) != [], "a replay does not start"


def test_the_former_program_publishes_schedules_cancels_and_forgets(worker):
    worker.send(SUCCEED_AT_ONCE)
    [(first,)] = worker.send(INSERT_MESSAGE)
    assert [row[0] for row in worker.send(SELECT_DUE)] == [first]
    worker.send("DELETE FROM outbox WHERE id = ANY(%(ids)s::bigint[])", ids=[first])
    [(second,)] = worker.send(INSERT_MESSAGE)
    worker.send(
        "UPDATE outbox SET available_at = now() + 30000::bigint * interval '1 ms' WHERE id = ANY(%(ids)s::bigint[])",
        ids=[second])
    assert worker.send(SELECT_DUE) == []
    worker.send(SET_SCHEDULE)
    worker.send("UPDATE job_schedules SET next_run_at = now()")
    assert worker.send("SELECT enqueue_due_schedules()") == [(1,)]
    worker.send(CANCEL, job=str(uuid.uuid4()))
    assert worker.send("SELECT count(*) FROM job_ledger WHERE state = 'cancelled'") == [(1,)]
    worker.send("DELETE FROM job_ledger WHERE state IN ('succeeded', 'cancelled')")


@pytest.mark.skipif(not FORMER_PROGRAM, reason="the program of the former version is not at hand")
def test_a_fleet_rolls_back_to_the_former_program_and_forth_under_load(tmp_path, cloud, monkeypatch):
    experiment = Experiment(tmp_path, cloud, seed=1, is_whole=False)
    new = experiment.start_doomed
    try:
        experiment.start(2)
        with experiment.flooding(600, per_second=30):
            for program in (FORMER_PROGRAM, None):
                old = experiment.living
                with monkeypatch.context() as patch:
                    if program:
                        patch.setattr("harness.program.PROGRAM", pathlib.Path(program))
                    for replica in old:
                        started = new()
                        started.admin  # noqa: B018 - it listens, so it is on its way
                        replica.stop(60)
        experiment.hasten()
        print(experiment.verdict(180))
    finally:
        print(experiment.logs())
        experiment.close()
