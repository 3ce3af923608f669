"""What grows does not slow down what is asked often: the ledger, and the outbox under a long snapshot."""

import json
import uuid

import psycopg

from harness.waiting import eventually


DAY = "interval '1 day'"


def add_jobs(system, count: int, state: str, created: str, finished: str | None) -> None:
    system.rows(
        "INSERT INTO job_ledger (job_id, kind, state, created_at, finished_at)"
        f" SELECT gen_random_uuid(), %s, %s, now() - {created}, now() - {finished or 'NULL::interval'}"
        " FROM generate_series(1, %s)", f"disk.{state}-{created[-3:-1]}", state, count)


def test_jobs_that_ended_long_ago_are_forgotten_and_no_others(system):
    gone = [("succeeded", 12_000, 30, 30), ("cancelled", 3, 30, 30), ("dead", 3, 60, 60)]
    kept = [("succeeded", 3, 10, 10), ("succeeded", 4, 30, 1), ("dead", 5, 30, 30), ("dead", 6, 60, 1),
            ("waiting", 7, 90, None)]
    for state, count, created, finished in gone + kept:
        add_jobs(system, count, state, f"{created} * {DAY}", finished and f"{finished} * {DAY}")
    system.start(LEDGER_RETENTION="14d")
    eventually("the old ones are gone", lambda: system.value("SELECT count(*) FROM job_ledger") == 25, 60)
    assert sorted(system.rows("SELECT state, count(*)::integer FROM job_ledger GROUP BY state")) == [
        ("dead", 11), ("succeeded", 7), ("waiting", 7)]


def test_a_retention_that_would_run_jobs_again_is_refused(system):
    result = system.run("run", LEDGER_RETENTION="1h")
    assert result.returncode == 78, result.stderr
    assert "LEDGER_RETENTION must be 1d to 3650d" in result.stderr


def test_ids_are_in_the_order_of_time(system):
    jobs = [str(system.value("SELECT enqueue_job('disk.create', '{}')")) for _ in range(3)]
    jobs += [str(job) for (job,) in system.rows("SELECT job_id FROM enqueue_jobs('[{\"kind\": \"disk.create\", \"payload\": {}}]')")]
    for row in system.rows("SELECT message_id FROM outbox ORDER BY id"):
        assert uuid.UUID(row[0]).version == 7
    assert [job[:13] for job in jobs] == sorted(job[:13] for job in jobs)


def test_looks_at_the_outbox_do_not_walk_over_what_a_long_snapshot_keeps(system):
    """A look reads only as many entries of the index as are new since the oldest row was last searched for."""
    system.start()
    entries = 400_000
    with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM outbox")
        system.rows(
            "INSERT INTO outbox (available_at, destination, routing_key, body)"
            " SELECT now() - interval '1 minute' + n * interval '0.1 ms', 'events', 'x', '' FROM generate_series(1, %s) n",
            entries)
        system.rows("DELETE FROM outbox")

        def read() -> int:
            system.rows("SELECT pg_stat_clear_snapshot()")
            return system.value("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'outbox_due'")

        def look(number: int) -> None:
            job = str(system.value("SELECT enqueue_job('disk.create', %s)", json.dumps(
                {"user_id": "alice", "disk_name": f"d{number}"})))
            assert system.event(job)["type"] == "disk.create.completed"

        for number in range(10):
            look(number)
        before = read()
        for number in range(10, 50):
            look(number)
        eventually("the statistics are written", lambda: read() > before)
        assert read() - before < 20 * entries
        # A row that a long transaction commits with an earlier time is found all the same.
        late = str(system.value(
            "INSERT INTO outbox (available_at, destination, routing_key, message_id, type, content_type, body)"
            " VALUES (now() - interval '30 s', 'jobs', 'disk.create', gen_random_uuid()::text, 'disk.create',"
            " 'application/json', %s) RETURNING message_id", b'{"user_id": "bob", "disk_name": "late"}'))
        assert system.event(late)["type"] == "disk.create.completed"
        other.execute("ROLLBACK")
