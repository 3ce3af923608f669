"""Whether the probes tell the truth, whatever is away, and whether the port harms nobody, whoever asks."""

import concurrent.futures
import contextlib
import signal
import socket
import time
import uuid

import psycopg
import pytest

from harness.admin_port import PROBES, AdminPort
from harness.machine import scaled
from harness.network.fault_proxy import FaultProxy
from harness.waiting import eventually
from harness.worker import Replica
from harness.worker_system import WorkerSystem

DISK = {"user_id": "alice", "disk_name": "home"}
CLOSED_PORT = 9
CONDITIONS = {"jobs-connection", "relay-connection", "database", "schema"}


@contextlib.contextmanager
def away(proxy: FaultProxy):
    """Nobody listens at the other end of the proxy."""
    target, proxy.target = proxy.target, ("127.0.0.1", CLOSED_PORT)
    proxy.reset()
    yield
    proxy.target = target


def is_ready(replica: Replica) -> bool:
    return replica.admin.says_yes("/readyz")


def lacks(replica: Replica, *conditions: str) -> bool:
    return replica.admin.lacking() == set(conditions)


def seems_alive(replica: Replica) -> bool:
    return replica.admin.says_yes("/livez") and replica.admin.says_yes("/startupz")


def stays(what: str, condition, seconds: float) -> None:
    """Fails if the condition is false once within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), what
        time.sleep(0.05)


def is_done(system: WorkerSystem) -> bool:
    job = system.publish("disk.create", DISK | {"disk_name": f"d{uuid.uuid4().hex[:8]}"})
    return system.event(job)["type"] == "disk.create.completed"


# ---- what is there and what is not ------------------------------------------------------------------------


def test_a_worker_that_has_everything_says_yes_to_all(system):
    replica, = system.start()
    eventually("it is ready", lambda: is_ready(replica))
    for probe in PROBES:
        answer = replica.admin.ask(probe)
        assert (answer.status, answer.text) == (200, "ok\n")
        assert answer.headers["content-type"].startswith("text/plain") and answer.headers["cache-control"] == "no-store"
    verbose = {probe: replica.admin.ask(f"{probe}?verbose").json for probe in PROBES}
    assert {told["status"] for told in verbose.values()} == {"ok"}
    assert verbose["/startupz"]["checks"] == {}
    assert verbose["/readyz"]["checks"] == dict.fromkeys({*CONDITIONS, "draining"}, {"status": "ok"})
    assert verbose["/livez"]["checks"] == dict.fromkeys(("jobs-loop", "relay-loop", "relay", "tries"), {"status": "ok"})


def test_the_port_has_its_pages_and_no_others(system):
    """What asks for more than to look is refused; HEAD says what GET would, without a body."""
    port = system.start()[0].admin
    version = port.ask("/version").json
    assert version.keys() == {"version", "commit"} and version["version"] in system.call("--version")
    assert port.ask("/metrics").headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for page in (*PROBES, "/metrics", "/version"):
        answer = port.ask(page, "HEAD")
        assert (answer.status, answer.text) == (200, "") and int(answer.headers["content-length"]) > 0
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"):
            assert port.ask(page, method).status in (400, 404, 405), method
    for page in ("/", "/nowhere", "/livez/", "/livez/more", "/../livez", "/%2e%2e/etc/passwd", "/metrics.txt"):
        assert port.ask(page).status in (200 if page == "/livez/" else 404, 404), page


def test_a_broker_that_goes_makes_it_unready_and_not_dead(system, proxy_before):
    broker = proxy_before("AMQP_URL")
    with away(broker):
        replica = system.start_doomed()
        eventually("only the broker is wanting", lambda: lacks(replica, "jobs-connection", "relay-connection"))
        assert seems_alive(replica)
    eventually("it is ready", lambda: is_ready(replica))
    with away(broker):
        eventually("it knows", lambda: lacks(replica, "jobs-connection", "relay-connection"))
        told = replica.admin.ask("/readyz?verbose")
        assert told.status == 503 and told.json["status"] == "failing"
        assert {name for name, check in told.json["checks"].items() if check["status"] == "failing"} == {
            "jobs-connection", "relay-connection"}
        assert "RabbitMQ" in told.json["checks"]["jobs-connection"]["detail"]
        ready = replica.admin.scrape().by("gpudev_ready", "condition")
        assert ready == {"jobs-connection": 0, "relay-connection": 0, "database": 1, "schema": 1}
        assert seems_alive(replica)
    eventually("it is ready again", lambda: is_ready(replica))
    assert is_done(system)


def test_a_replica_without_its_own_session_is_not_ready_yet(system):
    """Claims rest on the session, which here waits for a lock when all else is there."""
    with psycopg.connect(system.environment["DATABASE_URL"]) as other:
        other.execute("LOCK TABLE workers IN ACCESS EXCLUSIVE MODE")
        replica = system.start_doomed()
        eventually(
            "all else is there", lambda: not replica.admin.lacking() & {"jobs-connection", "relay-connection", "schema"})
        assert lacks(replica, "database")
    eventually("it is ready", lambda: is_ready(replica))


def reconnects(replica) -> float:
    return replica.admin.scrape().total("gpudev_reconnects_total", connection="session")


def test_a_database_that_goes_makes_it_unready_and_not_dead(system, proxy_before):
    database = proxy_before("DATABASE_URL")
    with away(database):
        replica = system.start_doomed()
        eventually("it has looked for it", lambda: "PostgreSQL is unreachable" in replica.log.read_text())
        assert lacks(replica, *CONDITIONS), "what was never there is wanting too"
        assert seems_alive(replica)
    eventually("it is ready", lambda: is_ready(replica))
    with away(database):
        eventually("it knows", lambda: lacks(replica, "database"))
        assert seems_alive(replica)
    eventually("it is ready again", lambda: is_ready(replica))
    eventually("its session is back", lambda: reconnects(replica))
    assert reconnects(replica) == 1
    with psycopg.connect(database.url.replace(str(database.port), str(database.target[1]))) as connection:
        connection.execute("SELECT FROM job_ledger")


def make_read_only(system: WorkerSystem, is_read_only: bool) -> None:
    """As on a server that has become a standby, every transaction from now on may only read, or may write again."""
    url = system.environment["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(
            f'ALTER DATABASE "{system.prefix}" SET default_transaction_read_only = {"on" if is_read_only else "off"}')
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()")


def test_a_database_that_takes_no_writes_is_as_good_as_none(system):
    make_read_only(system, True)
    replica = system.start_doomed()
    eventually("it has looked", lambda: "PostgreSQL is unreachable" in replica.log.read_text())
    assert "database" in replica.admin.lacking() and seems_alive(replica)
    make_read_only(system, False)
    eventually("it is ready", lambda: is_ready(replica))
    make_read_only(system, True)
    eventually("it knows", lambda: lacks(replica, "database"))
    stays("it does not change its mind", lambda: lacks(replica, "database"), 4)
    assert seems_alive(replica)
    make_read_only(system, False)
    eventually("it is ready again", lambda: is_ready(replica))
    assert is_done(system)


def test_a_schema_that_is_behind_is_waited_for(system):
    system.rows("DROP SCHEMA public CASCADE")
    system.rows("CREATE SCHEMA public")
    replica = system.start_doomed()
    eventually("it has looked", lambda: "the schema is behind" in replica.log.read_text())
    answer = replica.admin.ask("/readyz")
    assert "schema" in answer.lacking and "database" not in answer.lacking and "gpudev-worker migrate" in answer.text
    assert seems_alive(replica)
    assert replica.admin.scrape().by("gpudev_ready", "condition")["schema"] == 0
    system.call("migrate")
    eventually("it becomes ready by itself", lambda: is_ready(replica))
    assert is_done(system)


@pytest.mark.timeout(120)
def test_what_is_silent_for_longer_than_half_a_minute_is_no_reason_to_restart(system, proxy_before):
    """Neither broker nor database says goodbye: packets go nowhere, as when a node has vanished."""
    direct = dict(system.environment)
    broker = proxy_before("AMQP_URL")
    deaf, = system.start()
    system.environment = direct
    database = proxy_before("DATABASE_URL")
    system.start()
    blind = system.replicas[1]
    broker.is_dark = database.is_dark = True
    stays("both are alive", lambda: seems_alive(deaf) and seems_alive(blind), 40)
    assert lacks(deaf, "jobs-connection", "relay-connection") and lacks(blind, "database")
    broker.restore()
    database.restore()
    for proxy in (broker, database):
        proxy.reset()
    eventually("both are ready again", lambda: is_ready(deaf) and is_ready(blind))


# ---- what hangs, and what ends ----------------------------------------------------------------------------


def test_a_handler_that_keeps_its_thread_for_ever_makes_it_dead_and_the_port_says_so(system, cloud):
    system.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    job = str(uuid.uuid4())
    replica, = system.start(GPUDEV_MISBEHAVE=f"spin:{job}", GPUDEV_STALL_LIMIT="3")
    assert seems_alive(replica)
    system.publish("disk.create-snapshot", DISK, job)
    eventually("it is dead", lambda: not replica.admin.says_yes("/livez"))
    answer = replica.admin.ask("/livez")
    assert answer.status == 503 and "jobs-loop" in answer.lacking
    assert "relay-loop" not in answer.lacking, "the other loop moves"
    failing = replica.admin.ask("/livez?verbose").json["checks"]
    assert failing["jobs-loop"]["status"] == "failing" and failing["relay-loop"] == {"status": "ok"}
    assert replica.admin.says_yes("/startupz") and "gpudev_jobs_total" in replica.admin.scrape().types


def test_a_worker_that_was_frozen_comes_back_to_life(system):
    """As when its node was suspended, or its container paused."""
    replica, = system.start(GPUDEV_STALL_LIMIT="5")
    replica.send(signal.SIGSTOP)
    time.sleep(6)
    replica.send(signal.SIGCONT)
    eventually("it is alive", lambda: seems_alive(replica), 10)
    eventually("it is ready", lambda: is_ready(replica), 10)
    stays("it stays alive", lambda: seems_alive(replica), 1)
    assert is_done(system)


def test_a_job_that_waits_for_aws_is_no_sign_of_death(proxied, proxy, cloud):
    proxied.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    replica, = proxied.start(WORKER_DEADLINE="2s", WORKER_MAX_ATTEMPTS="2", GPUDEV_STALL_LIMIT="4")
    proxy.delay("DescribeVolumes", 30)
    job = proxied.publish("disk.create-snapshot", DISK)
    eventually("it runs", lambda: proxy.count("DescribeVolumes"))
    stays("it is alive", lambda: seems_alive(replica), 5)
    assert proxied.event(job)["data"]["reason"] == "exhausted"


def test_a_worker_that_ends_says_so_until_its_last_job_is_done(proxied, proxy, cloud):
    proxied.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    proxy.delay("CreateSnapshot", 3)
    replica, = proxied.start()
    job = proxied.publish("disk.create-snapshot", DISK)
    eventually("the job runs", lambda: proxy.count("CreateSnapshot"))
    replica.send(signal.SIGTERM)
    eventually("it is draining", lambda: "draining" in replica.admin.lacking(), 2)
    seen = 0
    while True:
        try:
            ready = replica.admin.ask("/readyz")
            assert "draining" in ready.lacking and seems_alive(replica)
        except OSError:
            break
        seen += 1
    assert replica.wait(10) == 0 and seen > 5
    assert proxied.state(job) == ("succeeded", 1)


# ---- where it listens, and who asks -----------------------------------------------------------------------


def test_a_port_that_somebody_else_has_is_a_fault_that_says_what_to_do(system):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = system.run("run", HTTP_PORT=str(port))
    assert result.returncode == 78
    assert f"127.0.0.1:{port}" in result.stderr and "HTTP_PORT" in result.stderr
    assert "set HTTP_PORT to a port that is free, or to 0 for any" in result.stderr


@pytest.mark.parametrize("value", ["-1", "65536", "http", "80.5"])
def test_a_port_that_is_none_is_refused(system, value):
    result = system.run("run", HTTP_PORT=value)
    assert result.returncode == 78 and "HTTP_PORT" in result.stderr


@pytest.mark.parametrize(("settings", "is_open"), [
    ({}, False), ({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, True), ({"HTTP_HOST": "0.0.0.0"}, True),
    ({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "HTTP_HOST": "127.0.0.1"}, False),
], ids=["on a machine", "in a pod", "wanted", "in a pod and not wanted"])
def test_it_is_open_to_others_only_in_a_pod_or_if_wanted(system, settings, is_open):
    """Another of this machine's addresses stands for others."""
    replica = system.start_doomed(**settings)
    port = replica.admin.port
    assert replica.admin.says_yes("/livez")
    with contextlib.ExitStack() as stack:
        if not is_open:
            stack.enter_context(pytest.raises(ConnectionRefusedError))
        socket.create_connection(("127.0.0.2", port), timeout=scaled(5)).close()


def connect(port: AdminPort, sends: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port.port), timeout=scaled(5))
    client.sendall(sends)
    return client


def test_clients_that_are_slow_or_say_nothing_hold_nobody_up(system):
    replica, = system.start()
    before = replica.descriptors
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(connect(replica.admin, b"" if number % 5 == 0 else b"GET /metrics HTTP/1.1\r\nHost: a"))
            for number in range(50)]
        for number in range(20):
            for client in clients[1::5]:
                client.sendall(b"a")
            started = time.monotonic()
            assert all(replica.admin.says_yes(probe) for probe in PROBES)
            assert time.monotonic() - started < scaled(2)
            assert is_done(system), number
    eventually("it lets go of them", lambda: replica.descriptors <= before + 5)


def pour(port: AdminPort, head: bytes, more: bytes) -> int:
    """Sends `more` again and again, until the port hangs up; returns how much it took."""
    taken = 0
    with contextlib.suppress(OSError), connect(port, head) as client:
        client.setblocking(False)
        while taken < 256 << 20:
            with contextlib.suppress(BlockingIOError):
                taken += client.send(more)
            with contextlib.suppress(BlockingIOError):
                if not client.recv(65536):
                    break
    return taken


ENDLESS = {
    "header": (b"GET /livez HTTP/1.1\r\nHost: a\r\nx: ", b"x" * 65536),
    "number of headers": (b"GET /livez HTTP/1.1\r\nHost: a\r\n", b"x: y\r\n" * 8192),
    "path": (b"GET /", b"x" * 65536),
    "body": (b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "line that is no request": (b"", b"\x00\xff" * 32768),
    "pipeline": (b"", b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n" * 1024),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_is_cut_off_and_takes_no_memory(system, what):
    replica, = system.start()
    assert is_done(system)
    before = replica.resident
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        taken = pool.submit(pour, replica.admin, *ENDLESS[what])
        while not taken.done():
            assert replica.admin.says_yes("/livez") and is_done(system)
            assert replica.resident - before < 48 << 10, "KiB"
    assert seems_alive(replica) and is_done(system)
    print(what, taken.result(), replica.resident - before)
