"""PostgreSQL restarted, away, read-only, full, crowded, or refusing what it usually takes."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import tempfile
import threading
import time

import psycopg
import pytest

from harness.accounts import give_roles, login, take_roles
from harness.network.fault_proxy import FaultProxy
from harness.services import services
from harness.waiting import eventually


@pytest.mark.experiment(11, "PostgreSQL restarted, killed, down, read-only")
@pytest.mark.parametrize("options", [(), ("--kill",)], ids=["in order", "killed"])
def test_restarts(experiment, options):
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        for _ in range(experiment.size(2, 5)):
            services("restart", "postgres", *options)
            experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(11, "PostgreSQL restarted, killed, down, read-only")
def test_a_long_absence(experiment):
    experiment.start(2)
    jobs = experiment.load.draw(200)
    experiment.submit(jobs[:100])
    services("stop", "postgres")
    experiment.submit(jobs[100:])
    time.sleep(experiment.size(12, 60))
    services("start", "postgres")
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(11, "PostgreSQL restarted, killed, down, read-only")
def test_a_server_that_only_reads(experiment):
    """What a failover looks like from a connection to the old primary: 25006 for every write."""
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1)
        experiment.rows(f'ALTER DATABASE "{experiment.prefix}" SET default_transaction_read_only = on')
        experiment.end_sessions()
        time.sleep(experiment.size(5, 30))
        experiment.rows(f'ALTER DATABASE "{experiment.prefix}" RESET default_transaction_read_only')
        experiment.end_sessions()
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(12, "Serialization failures, deadlocks and lock timeouts, one statement in five")
def test_collisions(experiment):
    experiment.rows("""
        CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF random() < 0.2 THEN
                RAISE EXCEPTION 'an injected collision'
                    USING ERRCODE = (ARRAY['40001', '40P01', '55P03'])[1 + floor(random() * 3)::int];
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER collide BEFORE INSERT OR UPDATE ON job_ledger FOR EACH ROW EXECUTE FUNCTION collide();
        CREATE TRIGGER collide BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION collide();
        """)
    experiment.start(2)
    experiment.flood(experiment.size(200, 1000))
    eventually("all is done", lambda: experiment.waiting() == 0, 120)
    experiment.rows("DROP TRIGGER collide ON job_ledger; DROP TRIGGER collide ON outbox")
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.mark.experiment(13, "PostgreSQL's disk full, its connections used up, sessions ended")
def test_no_connection_is_left(experiment):
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1)
        experiment.rows(f'ALTER DATABASE "{experiment.prefix}" CONNECTION LIMIT 3')
        experiment.end_sessions()
        time.sleep(experiment.size(5, 30))
        experiment.rows(f'ALTER DATABASE "{experiment.prefix}" CONNECTION LIMIT -1')
    experiment.recover()
    experiment.verdict()


@pytest.mark.experiment(13, "PostgreSQL's disk full, its connections used up, sessions ended")
def test_sessions_are_ended_again_and_again(experiment):
    ended = threading.Event()
    experiment.start(2)

    def end_sessions() -> None:
        while not ended.wait(experiment.random.uniform(0.1, 0.6)):
            experiment.end_sessions()

    thread = threading.Thread(target=end_sessions)
    thread.start()
    experiment.flood(200, per_second=experiment.size(40, 10))
    ended.set()
    thread.join()
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.fixture
def pair(monkeypatch):
    """A primary that waits for its standby with each commit, and the address that leads to whichever is in charge."""
    first, second = (int(port) for port in os.environ["GPUDEV_TEST_STANDBY_PORTS"].split(","))
    services("start", "postgres-1")
    services("start", "postgres-2")
    proxy = FaultProxy("127.0.0.1", first)
    monkeypatch.setenv("GPUDEV_TEST_DATABASE_URL", f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres")
    pair = Pair(proxy, first, second)
    pair.alter(first, "synchronous_standby_names", "*")
    pair.await_standby()
    yield pair
    proxy.close()
    services("discard", "postgres-1", "postgres-2")


@dataclasses.dataclass
class Pair:
    proxy: FaultProxy
    first: int
    second: int

    @staticmethod
    def ask(port: int, statement: str):
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None

    def alter(self, port: int, setting: str, value: str) -> None:
        self.ask(port, f"ALTER SYSTEM SET {setting} = '{value}'")
        self.ask(port, "SELECT pg_reload_conf()")

    def await_standby(self) -> None:
        states = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        eventually("the standby follows", lambda: self.ask(self.first, states) == (1,))

    def promote(self) -> None:
        assert self.ask(self.second, "SELECT pg_promote()") == (True,)
        self.proxy.target = ("127.0.0.1", self.second)


@pytest.mark.experiment(11, "PostgreSQL restarted, killed, down, read-only")
@pytest.mark.parametrize("way", ["killed", "demoted"])
def test_a_failover_to_the_standby(pair, experiment, way):
    """The old primary dies, or lives on for a while with the connections that it has and refuses their writes."""
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1.5)
        if way == "killed":
            services("stop", "postgres-1", "--kill")
        else:
            pair.alter(pair.first, "default_transaction_read_only", "on")
        pair.promote()
        experiment.recover(15)
        locks = "pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted"
        eventually("each worker holds its lock where others look for it", lambda: experiment.count(locks) >= 2, 15)
        if way == "demoted":
            time.sleep(experiment.size(5, 60))
            services("stop", "postgres-1", "--kill")
    experiment.recover()
    experiment.verdict()
    assert experiment.value("SELECT pg_is_in_recovery()") is False
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.fixture
def small_disk():
    """A file system of a few MiB that PostgreSQL may keep a database on."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    place = tempfile.mkdtemp(prefix="gpudev-disk-", dir="/tmp")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m,mode=0700,uid=postgres", "tmpfs", place],
        capture_output=True, text=True, check=False)
    if made.returncode != 0:
        os.rmdir(place)
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    with admin() as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
    yield pathlib.Path(place)
    with admin() as connection:
        connection.execute("DROP TABLESPACE small")
    subprocess.run(["umount", place], check=True)
    os.rmdir(place)


def admin() -> psycopg.Connection:
    return psycopg.connect(os.environ["GPUDEV_TEST_DATABASE_URL"], autocommit=True)


@pytest.mark.experiment(13, "PostgreSQL's disk full, its connections used up, sessions ended")
def test_a_full_disk(small_disk, experiment):
    with admin() as connection:
        connection.execute(f'ALTER DATABASE "{experiment.prefix}" SET TABLESPACE small')
    experiment.start(2)
    filler = small_disk / "filler"
    with experiment.flooding(experiment.size(300, 600), per_second=experiment.size(40, 10)):
        time.sleep(1)
        fill(filler)
        eventually("PostgreSQL has no room left", lambda: "53100" in experiment.logs(), 20)
        time.sleep(experiment.size(4, 30))
        filler.unlink()
    experiment.recover()
    experiment.verdict(90)
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


def fill(path: pathlib.Path) -> None:
    """Writes until nothing more fits on the file system."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


@pytest.mark.experiment(13, "PostgreSQL's disk full, its connections used up, sessions ended")
def test_transactions_that_idle_too_long(experiment):
    """On a slow way each transaction of several statements sits idle for longer than the server allows (25P03)."""
    proxy = experiment.proxy_before("DATABASE_URL")
    experiment.environment["DATABASE_URL"] += "?options=-c%20idle_in_transaction_session_timeout%3D500ms"
    log = pathlib.Path(os.environ["GPUDEV_TEST_SERVICES_DIR"]) / "postgres.log"
    start = log.stat().st_size
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1)
        proxy.up.delay = 0.6
        time.sleep(experiment.size(4, 60))
        proxy.restore()
    experiment.recover()
    experiment.verdict()
    ended = log.read_bytes()[start:].count(b"due to idle-in-transaction timeout")
    assert ended > 0, "no transaction was ended"
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.fixture
def role(experiment):
    """The role of the workers, which have its rights and no others."""
    experiment.account = {"DATABASE_URL": login(experiment.environment["DATABASE_URL"], give_roles(experiment)["worker"])}
    yield f"{experiment.prefix}_worker"
    for replica in experiment.replicas:
        replica.kill()
    take_roles(experiment)


@pytest.mark.experiment(28, "A right of the worker's role revoked under load")
@pytest.mark.parametrize("table", ["job_ledger", "outbox"])
def test_a_right_is_revoked(experiment, role, table):
    """Without it no job can be claimed, or none can end: all that is in hand is held, and nothing is returned."""
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1)
        experiment.rows(f"REVOKE INSERT ON {table} FROM {role}")
        for replica in experiment.replicas:
            eventually("it says what is missing", lambda: f"INSERT on {table}" in replica.admin.ask("/readyz").text)
        time.sleep(experiment.size(8, 180))
        assert all(replica.admin.lacking() == {"schema"} for replica in experiment.replicas)
        experiment.rows(f"GRANT INSERT ON {table} TO {role}")
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0
    returned = sum(experiment.queue(name).get("message_stats", {}).get("redeliver", 0) for name in ("disks", "reservations"))
    assert returned == 0, "messages went back to their queues"
