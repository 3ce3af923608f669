"""The accounts of docs/operations.md: what the worker's own may do is enough for its work, and not for more."""

import base64
import json
import os
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pika
import psycopg
import pytest

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()
PASSWORD = "geheim"


def manage(path: str, body: dict | None = None, method: str = "PUT") -> None:
    """Tells RabbitMQ's management interface to do something."""
    request = urllib.request.Request(
        f"{os.environ['GPUDEV_TEST_RABBITMQ_API']}/api/{path}", json.dumps(body).encode() if body else None,
        {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode(), "Content-Type": "application/json"},
        method=method)
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()


def broker_rights(prefix: str) -> dict[str, str]:
    """What the runbook's `rabbitmqctl set_permissions` gives, for the names of this test."""
    rights = re.search(r"set_permissions --vhost \S+ gpudev-worker '(.+?)' '(.+?)' '(.+?)'", RUNBOOK).groups()
    return dict(zip(("configure", "write", "read"), (right.replace("gpudev", prefix) for right in rights), strict=True))


def database_rights(role: str) -> list[str]:
    """The runbook's GRANT statements."""
    statements = re.findall(r"^    ((?:GRANT|ALTER DEFAULT PRIVILEGES) .+ gpudev_worker);$", RUNBOOK, re.MULTILINE)
    assert len(statements) >= 2
    return [statement.replace("gpudev_worker", role) for statement in statements]


@pytest.fixture
def limited(system):
    """The settings of the two accounts that only work."""
    user = system.prefix
    manage(f"users/{user}", {"password": PASSWORD, "tags": ""})
    manage(f"permissions/%2F/{user}", broker_rights(system.prefix))
    system.rows(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
    for statement in database_rights(user):
        system.rows(statement)
    urls = {}
    for setting in ("AMQP_URL", "DATABASE_URL"):
        parts = urllib.parse.urlparse(system.environment[setting])
        urls[setting] = parts._replace(netloc=f"{user}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()
    yield urls
    for replica in system.replicas:
        replica.kill()
    manage(f"users/{user}", method="DELETE")
    system.rows(f"DROP OWNED BY {user}")
    system.rows(f"DROP ROLE {user}")


def test_the_workers_accounts_suffice_for_all_that_it_does(system, limited):
    system.start(**limited)
    done = system.publish("disk.create", {"user_id": "alice", "disk_name": "home", "size_gb": 20})
    assert system.event(done)["type"] == "disk.create.completed"
    refused = system.publish("disk.create-snapshot", {"user_id": "alice", "disk_name": "home"})
    assert system.event(refused)["type"] == "disk.create-snapshot.failed"
    (letter,) = json.loads(system.call("dead", "list", "--json", **limited))
    assert letter["job_id"] == refused
    system.call("dead", "replay", "--job", refused, **limited)
    queued = system.value("SELECT enqueue_job('disk.create', %s)", json.dumps({"user_id": "bob", "disk_name": "home"}))
    assert system.event(str(queued))["type"] == "disk.create.completed"
    system.call("topology", "check", **limited)
    assert system.call("migrate", "--check", **limited) == "the schema is current"


def test_the_workers_account_cannot_change_tables(limited):
    with psycopg.connect(limited["DATABASE_URL"], autocommit=True) as database:
        for statement in ("CREATE TABLE mine ()", "ALTER TABLE disks ADD mine text", "DROP TABLE outbox",
                          "TRUNCATE job_ledger", "CREATE ROLE mine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                database.execute(statement)


def test_the_workers_account_may_use_the_tables_of_later_migrations(system, limited):
    system.rows("CREATE TABLE later (number integer)")
    with psycopg.connect(limited["DATABASE_URL"], autocommit=True) as database:
        database.execute("INSERT INTO later VALUES (1)")
        assert database.execute("SELECT number FROM later").fetchall() == [(1,)]


@pytest.mark.parametrize("forbidden", [
    lambda channel, prefix: channel.queue_declare(f"other.{prefix}"),
    lambda channel, prefix: channel.queue_bind(f"{prefix}.disks", f"{prefix}.events", "#"),
    lambda channel, prefix: channel.basic_publish("amq.topic", "disk.create", b"{}"),
], ids=["a queue of others", "a binding", "an exchange of others"])
def test_the_workers_account_stays_within_its_names(system, limited, forbidden):
    with pika.BlockingConnection(pika.URLParameters(limited["AMQP_URL"])) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
            forbidden(channel, system.prefix)
