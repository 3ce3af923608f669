"""doctor: what falls short has a line that names it, and advice that helps; and every command says in time what is away."""

import contextlib
import re
import socket
import subprocess
import time
import uuid

import psycopg
import pytest

from harness.program import PROGRAM
from harness.repository import ROOT


@pytest.fixture
def silent_port():
    """Takes connections and never says a word, as a host behind a broken network does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


@pytest.fixture
def cluster(system, kubernetes):
    system.environment |= kubernetes.settings()
    kubernetes.add_node("t4-a", "t4", 4)
    return kubernetes


def lines(result: subprocess.CompletedProcess) -> dict[str, tuple[str, str]]:
    """State and words by thing."""
    found = (re.fullmatch(r"(ok|FAIL|off|skip) +([^:]+): (.*)", line) for line in result.stdout.splitlines())
    return {match[2]: (match[1], match[3]) for match in found}


def test_all_is_in_order(system, cluster):
    found = lines(system.run("doctor"))
    assert {thing for thing, (state, _) in found.items() if state == "ok"} == {
        "PostgreSQL", "schema", "privileges", "session", "schedules", "outbox", "RabbitMQ", "topology", "AWS", "Route 53", "load balancer",
        "Kubernetes", "Kubernetes permissions", "Kubernetes namespace"}
    assert found["listings"][0] == "off"
    assert system.run("doctor").returncode == 0


def test_what_is_not_set_up_is_off(system, cloud):
    for name in cloud.settings():
        del system.environment[name]
    result = system.run("doctor")
    found = lines(result)
    assert result.returncode == 0
    assert {found[thing][0] for thing in ("Route 53", "load balancer", "Kubernetes", "listings")} == {"off"}


def test_a_broker_that_is_away_is_not_to_be_declared(system):
    result = system.run("doctor", AMQP_URL="amqp://guest:guest@127.0.0.1:1/")
    found = lines(result)
    assert result.returncode == 1 and "topology declare" not in result.stdout
    assert found["RabbitMQ"][0] == "FAIL" and "check AMQP_URL" in found["RabbitMQ"][1]
    assert found["topology"][0] == "skip" and found["PostgreSQL"][0] == "ok"


def test_each_line_comes_as_soon_as_it_is_known(system, silent_port):
    environment = system.environment | {"AMQP_URL": f"amqp://guest:guest@127.0.0.1:{silent_port}/"}
    with subprocess.Popen([PROGRAM, "doctor"], env=environment, stdout=subprocess.PIPE, text=True) as doctor:
        assert [doctor.stdout.readline()[:15] for _ in range(3)] == ["ok   PostgreSQL", "ok   schema: cu", "ok   privileges"]
        assert doctor.poll() is None, "the broker is still being waited for"
        doctor.communicate(timeout=30)


@pytest.mark.parametrize("command", [
    ("jobs", "list"), ("schedule", "list"), ("migrate", "--check"), ("doctor",), ("dead", "list"),
    ("topology", "check"), ("enqueue", "disk.create", '{"user_id": "alice", "disk_name": "home"}')], ids=" ".join)
def test_a_service_that_says_nothing_is_told_in_time(system, silent_port, command):
    """Half a minute without a word was too long for somebody at a terminal; twice as long as meant is not."""
    away = {
        "DATABASE_URL": f"postgresql://worker@127.0.0.1:{silent_port}/jobs",
        "AMQP_URL": f"amqp://guest:guest@127.0.0.1:{silent_port}/"}
    begun = time.monotonic()
    result = system.run(*command, **away)
    took = time.monotonic() - begun
    assert result.returncode == (1 if command == ("doctor",) else 69), result.stdout + result.stderr
    assert took < (25 if command == ("doctor",) else 15)


def test_a_database_of_another_name_is_told_at_once(system):
    wrong = system.environment["DATABASE_URL"] + "-absent"
    result = system.run("jobs", "list", DATABASE_URL=wrong)
    assert result.returncode == 69 and "does not exist" in result.stderr
    found = lines(system.run("doctor", DATABASE_URL=wrong))
    assert "does not exist" in found["PostgreSQL"][1] and found["schema"][0] == "skip"


@contextlib.contextmanager
def role(system, *grants: str):
    """A role of its own with these rights; yields the URL that it connects with."""
    name = f"limited_{uuid.uuid4().hex[:12]}"
    url = system.environment["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'limited'")
        try:
            for grant in grants:
                owner.execute(f"GRANT {grant} TO {name}")
            yield re.sub(r"//[^@/]*@", f"//{name}:limited@", url)
        finally:
            owner.execute(f"DROP OWNED BY {name}")
            owner.execute(f"DROP ROLE {name}")


def test_rights_that_are_missing_are_named(system):
    with role(system, "SELECT ON schema_migrations") as url:
        result = system.run("doctor", DATABASE_URL=url)
        state, words = lines(result)["privileges"]
        assert result.returncode == 1 and state == "FAIL" and "grant" in words
        assert "INSERT on job_ledger" in words and "SELECT on disks" in words and "schema_migrations" not in words
    with role(system, "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public") as url:
        assert lines(system.run("doctor", DATABASE_URL=url))["privileges"][0] == "ok"


def test_the_rights_that_are_looked_at_are_those_that_statements_need():
    told = {
        (match[1], verb)
        for match in re.finditer(
            r'TablePrivilege\("(\w+)", ([^)]+)\)', (ROOT / "Sources/GPUDevWorker/TablePrivilege.swift").read_text())
        for verb in re.findall(r'"(\w+)"', match[2])}
    tables = {table for table, _ in told}
    code = "\n".join(
        path.read_text() for folder, pattern in (("Sources", "*.swift"), ("schemas/sql", "*.sql"))
        for path in (ROOT / folder).rglob(pattern))
    created = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", code))
    assert created == tables, "every table, and no other"
    needed = {
        (table, verb) for verb, words in (
            ("INSERT", "INSERT INTO"), ("UPDATE", "UPDATE"), ("DELETE", "DELETE FROM"), ("SELECT", "(?<!DELETE )FROM|JOIN"))
        for table in re.findall(rf"(?:{words}) (\w+)", code) if table in tables}
    assert needed - {("schema_migrations", "INSERT")} <= told, "migrations are applied by the owner"


def test_each_permission_of_the_cluster_that_is_missing_is_named(system, cluster):
    cluster.denied = [["list", "pods"], ["create", "pods/exec"]]
    result = system.run("doctor")
    state, words = lines(result)["Kubernetes permissions"]
    assert result.returncode == 1 and state == "FAIL"
    assert "list pods in the whole cluster, list pods" in words and "create pods/exec" in words
    assert "k8s/access" in words and "delete pods" not in words


def test_a_namespace_that_does_not_exist_is_told(system, cluster):
    result = system.run("doctor", KUBERNETES_NAMESPACE="gpu-dve")
    state, words = lines(result)["Kubernetes namespace"]
    assert result.returncode == 1 and state == "FAIL"
    assert "gpu-dve does not exist" in words and "KUBERNETES_NAMESPACE" in words


def test_an_authority_that_has_changed_has_advice_of_its_own(system, cluster):
    cluster.renew_authority()
    state, words = lines(system.run("doctor"))["Kubernetes"]
    assert state == "FAIL" and "not signed by the authority" in words


def test_a_server_that_is_starting_is_not_a_lack_of_rights(system, cluster):
    cluster.is_starting = True
    found = lines(system.run("doctor"))
    assert found["Kubernetes"][0] == "FAIL" and found["Kubernetes permissions"][0] == "skip"
