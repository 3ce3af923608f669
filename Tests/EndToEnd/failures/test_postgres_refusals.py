"""PostgreSQL refuses what a worker asks for itself or what a kind asks, or takes too long over it."""

import contextlib
import threading
import time
import uuid

import psycopg
import pytest

from harness import invariants
from harness.accounts import give_roles, login, take_roles
from harness.machine import scaled
from harness.waiting import eventually

FUNCTION = "settle_job(uuid, bigint, integer, text, boolean, text, text)"


@pytest.fixture
def restricted(system):
    """The same, with workers that log in as docs/database-roles.sql has it; the name of their role is `role`."""
    system.account = {"DATABASE_URL": login(system.environment["DATABASE_URL"], give_roles(system)["worker"])}
    system.role = f"{system.prefix}_worker"
    yield system
    for replica in system.replicas:
        replica.kill()
    take_roles(system)


@pytest.mark.parametrize(("fault", "remedy", "told"), [
    ("REVOKE INSERT ON job_ledger FROM {role}", "GRANT INSERT ON job_ledger TO {role}", "INSERT on job_ledger"),
    ("REVOKE INSERT ON outbox FROM {role}", "GRANT INSERT ON outbox TO {role}", "INSERT on outbox"),
    (f"ALTER FUNCTION {FUNCTION} RENAME TO hidden", f"ALTER FUNCTION hidden{FUNCTION[10:]} RENAME TO settle_job",
     "settle_job"),
    ("ALTER TABLE job_ledger RENAME turns TO hidden", "ALTER TABLE job_ledger RENAME hidden TO turns", "turns"),
    ("DELETE FROM schema_migrations WHERE version = 6; ALTER FUNCTION is_dead_worker RENAME TO hidden",
     "ALTER FUNCTION hidden RENAME TO is_dead_worker", "gpudev-worker migrate"),
], ids=["claims", "messages", "function", "column", "migration"])
def test_what_the_worker_needs_for_itself_is_waited_for(restricted, cloud, fault, remedy, told):
    """It holds what it has, says what is missing, and goes on by itself; no job pays for it."""
    restricted.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    replica, = restricted.start()
    for statement in fault.format(role=restricted.role).split("; "):
        restricted.rows(statement)
    jobs = [restricted.publish("disk.create", {"user_id": "bob", "disk_name": f"d{n}"}) for n in range(30)]
    jobs.append(restricted.publish("disk.create-snapshot", {"user_id": "alice", "disk_name": "home"}))
    eventually("it says what is missing", lambda: told in replica.admin.ask("/readyz").text)
    assert replica.admin.lacking() == {"schema"} and replica.admin.says_yes("/livez")
    deadline = time.monotonic() + scaled(6)
    while time.monotonic() < deadline:
        assert replica.admin.lacking() == {"schema"}
        time.sleep(0.2)
    assert "goes back" not in replica.log.read_text() and restricted.depth("disks.dead") == 0
    restricted.rows(remedy.format(role=restricted.role))
    invariants.check(restricted, jobs)
    eventually("it is ready", lambda: replica.admin.says_yes("/readyz"))
    assert restricted.value("SELECT max(attempts) FROM job_ledger") == 1


def test_a_worker_starts_when_it_may_read_what_its_schema_is(restricted):
    restricted.rows(f"REVOKE SELECT ON schema_migrations FROM {restricted.role}")
    replica = restricted.start_doomed()
    eventually("it says what is missing", lambda: "schema_migrations" in replica.admin.ask("/readyz").text)
    assert replica.is_alive and "schema" in replica.admin.lacking()
    restricted.rows(f"GRANT SELECT ON schema_migrations TO {restricted.role}")
    eventually("it is ready", lambda: replica.admin.says_yes("/readyz"))


def test_what_is_refused_to_a_kind_costs_attempts_and_ends(restricted):
    """The writes of its death are refused too: it dies without them, and says so."""
    restricted.add_disk("alice", "home")
    restricted.rows(f"REVOKE UPDATE ON disks FROM {restricted.role}")
    replica, = restricted.start(WORKER_MAX_ATTEMPTS="2")
    job = restricted.publish(
        "disk.delete", {"user_id": "alice", "disk_name": "home", "operation_id": str(uuid.uuid4())})
    data = restricted.event(job)["data"]
    assert (data["reason"], data["code"], data["attempts"]) == ("exhausted", "42501", 2)
    assert "what was to be written with it was refused" in data["error"]
    invariants.check(restricted, [], [job])
    properties, _ = restricted.letter()
    assert properties.headers["x-dead-reason"] == "exhausted" and properties.headers["x-dead-error"] == data["error"]
    assert replica.admin.says_yes("/readyz") and "goes back" not in replica.log.read_text()


def test_a_row_that_is_refused_to_a_kind_that_only_writes_is_judged_at_once(restricted):
    restricted.rows(f"REVOKE INSERT ON disks FROM {restricted.role}")
    replica, = restricted.start(WORKER_MAX_ATTEMPTS="2")
    job = restricted.publish("disk.create", {"user_id": "alice", "disk_name": "home"})
    data = restricted.event(job)["data"]
    assert (data["reason"], data["code"], data["attempts"]) == ("exhausted", "42501", 2)
    assert replica.admin.says_yes("/readyz") and "goes back" not in replica.log.read_text()


# ---- what takes too long -----------------------------------------------------------------------------------

HASTY = "?options=-c%20statement_timeout%3D500ms%20-c%20lock_timeout%3D0"
SNAPSHOT = {"user_id": "alice", "disk_name": "home"}


@contextlib.contextmanager
def holding(system, statement: str):
    """Holds what the statement locks, as somebody does who has left a transaction open."""
    with psycopg.connect(system.environment["DATABASE_URL"]) as connection:
        connection.execute(statement)
        yield
        connection.rollback()


@pytest.fixture
def hasty(proxied, cloud):
    """Workers to whom PostgreSQL gives half a second for each statement; one disk with its volume."""
    proxied.account = {"DATABASE_URL": proxied.environment["DATABASE_URL"] + HASTY}
    proxied.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    return proxied


def test_a_table_that_somebody_keeps_locked_ends_the_job_that_needs_it_and_no_other(hasty, proxy):
    """It comes back with growing pauses and an attempt less each time, and calls AWS no oftener than that."""
    replica, = hasty.start(WORKER_MAX_ATTEMPTS="3")
    is_asked, is_locked = threading.Event(), threading.Event()

    def lock(number: int) -> None:
        is_asked.set()
        is_locked.wait(scaled(30))

    proxy.before("DescribeVolumes", lock)
    job = hasty.publish("disk.create-snapshot", SNAPSHOT)
    assert is_asked.wait(scaled(30))
    with holding(hasty, "LOCK TABLE disks IN ACCESS EXCLUSIVE MODE"):
        is_locked.set()
        data = hasty.event(job, 60)["data"]
        assert (data["reason"], data["code"], data["attempts"]) == ("exhausted", "57014", 3)
        hasty.add_reservation("r-1")
        other = hasty.publish("reservation.map-dns", {
            "reservation_id": "r-1", "node_ip": "10.0.1.7", "node_port": 1, "expires_at": "2031-02-03T04:05:06Z"})
        assert hasty.event(other)["type"] == "reservation.map-dns.completed"
        assert replica.admin.says_yes("/readyz")
    assert hasty.rows("SELECT attempt, fate, code FROM job_attempts ORDER BY attempt") == [
        (1, "retry", "57014"), (2, "retry", "57014"), (3, "dead", "57014")]
    assert proxy.count("DescribeVolumes") <= 3 and proxy.count("CreateSnapshot") == 0
    invariants.check(hasty, [other], [job])


def test_a_row_that_is_locked_for_a_while_costs_attempts_and_doubles_nothing(hasty, proxy, cloud):
    hasty.start()
    with holding(hasty, "SELECT FROM disks FOR UPDATE"):
        job = hasty.publish("disk.create-snapshot", SNAPSHOT)
        eventually("two attempts have failed", lambda: hasty.value("SELECT count(*) FROM job_attempts") >= 2)
        assert proxy.count("CreateSnapshot") == 1
    invariants.check(hasty, [job])
    assert len(cloud.snapshots_of(job)) == 1
    assert set(hasty.rows("SELECT fate, code FROM job_attempts")) == {("retry", "57014")}


def test_a_ledger_that_is_locked_for_a_while_costs_nothing(hasty, cloud):
    """The worker's own statements are repeated for as long as that takes."""
    replica, = hasty.start()
    with holding(hasty, "LOCK TABLE job_ledger IN ACCESS EXCLUSIVE MODE"):
        jobs = [hasty.publish("disk.create", {"user_id": "bob", "disk_name": f"d{n}"}) for n in range(20)]
        jobs.append(hasty.publish("disk.create-snapshot", SNAPSHOT))
        time.sleep(scaled(6))
        assert "goes back" not in replica.log.read_text()
    invariants.check(hasty, jobs)
    assert hasty.value("SELECT max(attempts) FROM job_ledger") == 1
