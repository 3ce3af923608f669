"""What the workers know of each other: who is there, who is dead, and who may act on what only one may touch."""

import json
import time
import uuid

import psycopg
import pytest

from harness import invariants
from harness.database import create_database, database_url, drop_database
from harness.network.fault_proxy import FaultProxy
from harness.waiting import eventually

DISK = {"user_id": "alice", "disk_name": "home"}
LOCKS = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
        AND (classid::bigint << 32) | objid::bigint = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Calls:
    """When calls of one action were with AWS, as the proxy sees it; the first is held for a while."""

    def __init__(self, proxy, action: str, seconds: float) -> None:
        self._open = 0
        self.most_at_once = 0
        self.begun: list[float] = []
        proxy.before(action, lambda number: self._hold(seconds if number == 1 else 0.2))
        proxy.after(action, self._end)

    def _hold(self, seconds: float) -> None:
        self._open += 1
        self.begun.append(time.monotonic())
        self.most_at_once = max(self.most_at_once, self._open)
        time.sleep(seconds)

    def _end(self) -> None:
        self._open -= 1


@pytest.fixture
def elsewhere(system):
    """The URL of another database of the same server, with the same tables."""
    url = system.environment["DATABASE_URL"]
    name = f"test_{uuid.uuid4().hex}"
    create_database(name, url)
    other = database_url(name, url)
    system.call("migrate", DATABASE_URL=other)
    yield other
    drop_database(name, url)


def test_a_session_in_another_database_is_refused(system, elsewhere):
    """There its lock would keep nobody from what this worker holds."""
    refused = system.run("run", DATABASE_DIRECT_URL=elsewhere)
    assert refused.returncode == 78 and "DATABASE_DIRECT_URL leads to another database" in refused.stderr, refused
    found = system.run("doctor", DATABASE_DIRECT_URL=elsewhere)
    assert found.returncode == 1 and "FAIL session: DATABASE_DIRECT_URL leads to another database" in found.stdout
    assert "ok   session" in system.run("doctor").stdout


@pytest.fixture
def disk(proxied, cloud):
    volume = cloud.create_volume("alice", "home")
    proxied.add_disk("alice", "home", ebs_volume_id=volume)
    return volume


def holder_of(system, job: str) -> int:
    """The lock of the worker that runs a job."""
    return eventually("the job is held", lambda: system.value(
        "SELECT holder FROM job_ledger WHERE job_id = %s AND state = 'running'", job))


def test_a_worker_whose_session_is_cut_keeps_what_it_holds(proxied, proxy, cloud, disk):
    """Its handler goes on, so that nobody else may act on the disk, though its lock is free again and again."""
    calls = Calls(proxy, "CreateSnapshot", 8)
    proxied.start(2)
    first = proxied.publish("disk.create-snapshot", DISK)
    eventually("the first job is with AWS", lambda: calls.begun)
    lock = holder_of(proxied, first)
    others = [proxied.publish("disk.create-snapshot", DISK) for _ in range(6)]
    until = time.monotonic() + 3
    while time.monotonic() < until:
        proxied.rows(f"SELECT pg_terminate_backend(pid) FROM ({LOCKS}) l", lock)
        time.sleep(0.1)
    invariants.check(proxied, [first, *others], seconds=120)
    assert calls.most_at_once == 1, "two calls changed one disk at the same time"
    assert proxied.state(first) == ("succeeded", 1)
    assert proxied.value("SELECT starts FROM job_ledger WHERE job_id = %s", first) == 1
    assert all(len(cloud.snapshots_of(job)) == 1 for job in (first, *others))


def test_a_worker_that_cannot_be_seen_stops_before_another_begins(proxied, proxy, cloud, disk):
    database_proxy = FaultProxy.before(proxied.environment["DATABASE_URL"])
    cut_off, = proxied.start(DATABASE_DIRECT_URL=database_proxy.url)
    calls = Calls(proxy, "CreateSnapshot", 25)
    job = proxied.publish("disk.create-snapshot", DISK)
    eventually("the job is with AWS", lambda: calls.begun)
    proxied.start()
    database_proxy.is_dark = True
    eventually("it stops by itself", lambda: "an attempt was interrupted" in cut_off.log.read_text(), 20)
    assert proxied.rows("SELECT state, starts FROM job_ledger WHERE job_id = %s", job) == [("running", 1)]
    proxied.rows(f"SELECT pg_terminate_backend(pid) FROM ({LOCKS}) l", holder_of(proxied, job))

    first = proxied.value("SELECT worker FROM job_ledger WHERE job_id = %s", job)

    def is_taken_over() -> bool:
        # Another message of the job, since the broker keeps what it has given to the first worker.
        proxied.publish("disk.create-snapshot", DISK, job)
        time.sleep(0.5)
        return proxied.value("SELECT worker FROM job_ledger WHERE job_id = %s", job) != first

    eventually("another worker takes it over", is_taken_over, 60)
    proxy.restore()
    database_proxy.restore()
    database_proxy.is_dark = False
    invariants.check(proxied, [job], seconds=60)
    assert proxied.state(job) == ("succeeded", 1)
    assert cloud.snapshots_of(job) == [disk]
    database_proxy.close()


def test_workers_are_listed_while_they_are_there(system):
    system.start(WORKER_QUEUES="disks,reservations", WORKER_CONCURRENCY="7")
    leaving, = system.start()
    listed = json.loads(system.call("workers", "list", "--json"))
    assert [(w["queues"], w["slots"], w["state"], w["running"]) for w in listed] == [
        (["disks", "reservations"], 7, "works", 0), (["capacity", "disks", "reservations"], 64, "works", 0)]
    assert listed[0]["version"] and listed[0]["name"].endswith(f"/{system.replicas[0].process.pid}")
    table = system.call("workers", "list").splitlines()
    assert len(table) == 3 and table[1].split()[2:5] == ["works", "disks,reservations", "7"]
    assert leaving.stop() == 0
    assert len(json.loads(system.call("workers", "list", "--json"))) == 1
    system.replicas[0].kill()
    eventually("its lock is free", lambda: json.loads(system.call("workers", "list", "--json"))[0]["state"] == "away")
    eventually("it is gone", lambda: json.loads(system.call("workers", "list", "--json"))[0]["state"] == "gone", 40)


def test_a_worker_that_ends_in_order_leaves_its_jobs_at_once(proxied, proxy, cloud, disk):
    calls = Calls(proxy, "CreateSnapshot", 3)
    leaving, = proxied.start(WORKER_SHUTDOWN_GRACE="500ms")
    job = proxied.publish("disk.create-snapshot", DISK)
    eventually("the job is with AWS", lambda: calls.begun)
    assert leaving.stop() == 0
    assert proxied.rows("SELECT FROM workers") == []
    assert proxied.state(job) == ("waiting", 0)


def test_a_job_that_kills_its_worker_in_a_call_is_quarantined_though_it_snoozes_in_between(proxied, proxy, disk):
    """After each death the job first waits whether the call before has shown effect, which is no outcome of an attempt."""
    proxy.before("CreateSnapshot", lambda number: proxied.replicas[-1].kill() or (503, ""))
    job = proxied.publish("disk.create-snapshot", DISK)
    for _ in range(2):
        replica = proxied.start_doomed(WORKER_MAX_STARTS="2")
        eventually("it dies", lambda replica=replica: proxied.hurry() or not replica.is_alive, 60)
    proxied.start_doomed(WORKER_MAX_STARTS="2")
    eventually("the job is dead", lambda: proxied.hurry() or proxied.state(job) == ("dead", 0), 60)
    assert proxied.event(job)["data"]["reason"] == "poison"


# What the schema says of the dead


def claim(database, holder: int, starts: int = 1, last_start: str = "now()") -> uuid.UUID:
    job = uuid.uuid4()
    database.execute(
        "INSERT INTO job_ledger (job_id, kind, state, starts, holder, started_at)"
        f" VALUES (%s, 'disk.restore', 'running', %s, %s, {last_start})", [job, starts, holder])
    return job


def is_dead(database, holder: int) -> bool:
    return database.execute("SELECT is_dead_worker(%s)", [holder]).fetchone()[0]


@pytest.mark.parametrize(("seen_ago", "dead"), [(0, False), (11, False), (13, True)])
def test_a_worker_is_dead_when_its_lock_is_free_and_it_was_not_seen(database, seen_ago, dead):
    started = database.execute("SELECT now() - pg_postmaster_start_time() > interval '13 s'").fetchone()[0]
    database.execute(
        "INSERT INTO workers (lock, name, version, queues, slots, seen_at)"
        " VALUES (7, 'w', '1', '{disks}', 1, now() - %s * interval '1 s')", [seen_ago])
    assert is_dead(database, 7) == (dead and started)
    with psycopg.connect(database.info.dsn, password=database.info.password or None) as worker:
        worker.execute("SELECT pg_advisory_lock(7)")
        assert not is_dead(database, 7)


def test_a_worker_without_a_row_is_dead_when_its_lock_is_free(database):
    assert is_dead(database, 7)
    with psycopg.connect(database.info.dsn, password=database.info.password or None) as worker:
        worker.execute("SELECT pg_advisory_lock(7)")
        assert not is_dead(database, 7)


@pytest.mark.parametrize(("starts", "seconds"), [(0, 0), (1, 0), (2, 10), (3, 20), (4, 40), (5, 80), (1000, 300)])
def test_pauses_grow_with_the_starts_that_were_left_without_a_fate(database, starts, seconds):
    query = "SELECT extract(epoch FROM greatest(earliest_restart(%s, now()), now()) - now())"
    assert database.execute(query, [starts]).fetchone()[0] == seconds


def test_a_snooze_takes_back_only_the_start_that_it_ends(database):
    job = claim(database, holder=7, starts=3)
    database.execute("SELECT settle_job(%s, 7, 3, 'waiting', false, NULL, NULL)", [job])
    assert database.execute("SELECT starts FROM job_ledger").fetchone() == (2,)


@pytest.mark.parametrize(("state", "uses_attempt"), [("waiting", True), ("dead", True), ("dead", False)])
def test_an_attempt_that_ends_clears_the_count_of_deaths(database, state, uses_attempt):
    job = claim(database, holder=7, starts=3)
    database.execute("SELECT settle_job(%s, 7, 3, %s, %s, NULL, NULL)", [job, state, uses_attempt])
    assert database.execute("SELECT starts FROM job_ledger").fetchone() == (0,)


@pytest.mark.parametrize(("holder", "start"), [(8, 1), (7, 2)])
def test_a_claim_is_renewed_only_by_the_start_that_has_it(database, holder, start):
    job = claim(database, holder=7)
    database.execute("SELECT renew_claim(%s, 7, 1, now() + interval '1 minute')", [job])
    with pytest.raises(psycopg.Error) as refusal:
        database.execute("SELECT renew_claim(%s, %s, %s, now())", [job, holder, start])
    assert refusal.value.sqlstate == "GW001"
