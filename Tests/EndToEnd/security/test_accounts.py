"""The accounts of docs/operations.md: what the worker's own may do is enough for its work, and not for more."""

import json

import pika
import psycopg
import pytest

from harness.accounts import PASSWORD, broker_rights, give_roles, login, run_roles, take_roles
from harness.broker import management
from harness.database import MIGRATIONS, migrate
from harness.repository import ROOT

RUNBOOK = (ROOT / "docs/operations.md").read_text()


@pytest.fixture
def limited(system):
    """The settings of the two accounts that only work."""
    user = system.prefix
    management(f"users/{user}", "PUT", {"password": PASSWORD, "tags": ""})
    management(f"permissions/%2F/{user}", "PUT", broker_rights(RUNBOOK, "gpudev-worker", system.prefix))
    worker = give_roles(system)["worker"]
    yield {
        "AMQP_URL": login(system.environment["AMQP_URL"], user),
        "DATABASE_URL": login(system.environment["DATABASE_URL"], worker)}
    for replica in system.replicas:
        replica.kill()
    management(f"users/{user}", "DELETE")
    take_roles(system)


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
    # The doctor's list of rights and the file of roles are the same.
    assert "lacks" not in system.run("doctor", **limited).stdout


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


def test_the_workers_account_uses_named_tables(system, limited):
    system.rows("CREATE TABLE of_others (number integer)")
    run_roles(system)
    with psycopg.connect(limited["DATABASE_URL"], autocommit=True) as database:
        for statement in ("SELECT FROM of_others", "DELETE FROM reservations", "INSERT INTO gpu_types DEFAULT VALUES",
                          "DELETE FROM schema_migrations", "UPDATE job_attempts SET attempt = 1"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                database.execute(statement)


@pytest.fixture
def accounts(system):
    """Connections of the members of each role, by role, and one of somebody who has none."""
    logins = give_roles(system) | {"nobody": f"{system.prefix}_nobody"}
    system.rows(f"CREATE ROLE {logins['nobody']} LOGIN PASSWORD '{PASSWORD}'")
    connections = {
        role: psycopg.connect(login(system.environment["DATABASE_URL"], name), autocommit=True)
        for role, name in logins.items()}
    yield connections
    for connection in connections.values():
        connection.close()
    for replica in system.replicas:
        replica.kill()
    take_roles(system)


def test_a_producer_in_sql_enqueues_by_every_form(system, accounts):
    system.start()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    jobs = []
    for number, more in enumerate((
            "", ", gen_random_uuid()", ", gen_random_uuid(), now()", ", run_at => now()",
            f", gen_random_uuid(), now(), '{trace}'")):
        payload = json.dumps({"user_id": "alice", "disk_name": f"d{number}"})
        jobs.append(accounts["producer"].execute(
            f"SELECT enqueue_job('disk.create', '{payload}'{more})").fetchone()[0])
    for job in jobs:
        event = system.event(str(job))
        assert event["type"] == "disk.create.completed"
        assert event["requestedby"] == f"sql:{system.prefix}_producer_login"


FORGERIES = [
    "INSERT INTO outbox (destination, routing_key, body) VALUES ('events', 'disk.delete.completed', '{}')",
    "SELECT FROM outbox", "DELETE FROM outbox", "SELECT FROM job_ledger", "UPDATE disks SET user_id = 'mallory'",
    "SELECT FROM reservations", "SELECT enqueue_due_schedules()",
    "SELECT settle_job(gen_random_uuid(), 1, 1, 'succeeded', true, NULL, NULL)", "CREATE TABLE mine ()",
]


@pytest.mark.parametrize("statement", FORGERIES)
def test_a_producer_in_sql_can_do_nothing_else(accounts, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        accounts["producer"].execute(statement)


def test_a_producer_in_sql_cannot_put_its_own_table_under_the_function(system, accounts):
    producer = accounts["producer"]
    producer.execute("CREATE TEMPORARY TABLE outbox (LIKE pg_class)")
    producer.execute("SET search_path = pg_temp, public")
    job = producer.execute("SELECT enqueue_job('disk.create', '{}')").fetchone()[0]
    assert system.value("SELECT count(*) FROM outbox WHERE message_id = %s", str(job)) == 1


def test_nobody_else_enqueues_and_a_reader_reads(accounts):
    for role in ("nobody", "reader"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            accounts[role].execute("SELECT enqueue_job('disk.create', '{}')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            accounts[role].execute("SELECT enqueue_jobs('[]')")
    accounts["reader"].execute("SELECT FROM job_ledger, outbox, job_schedules")
    for statement in ("DELETE FROM outbox", "UPDATE job_ledger SET state = 'succeeded'", "SELECT FROM disks"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            accounts["reader"].execute(statement)


def test_every_form_of_enqueue_job_runs_as_its_owner_in_one_schema(system):
    forms = system.rows("SELECT prosecdef, proconfig, proacl::text FROM pg_proc WHERE proname IN ('enqueue_job', 'enqueue_jobs')")
    assert len(forms) >= 3
    for is_definer, configuration, rights in forms:
        assert is_definer and configuration == ["search_path=public, pg_temp"]
        assert not any(right.startswith("=") for right in rights.strip("{}").split(","))


def test_the_functions_find_the_tables_in_the_schema_where_they_are(system):
    system.rows("CREATE SCHEMA elsewhere")
    with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as database:
        database.execute("SET search_path = elsewhere")
        migrate(database, MIGRATIONS)
        database.execute("SET search_path = public")
        job = database.execute("SELECT elsewhere.enqueue_job('disk.create', '{}')").fetchone()[0]
        assert database.execute("SELECT message_id FROM elsewhere.outbox").fetchall() == [(str(job),)]
        assert not database.execute("SELECT FROM public.outbox").fetchall()


def test_an_account_that_could_write_to_the_outbox_goes_on_after_the_migration(system):
    former, nobody = f"{system.prefix}_former", f"{system.prefix}_nobody"
    try:
        with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as database:
            database.execute(f"CREATE ROLE {former}")
            database.execute(f"CREATE ROLE {nobody}")
            database.execute("CREATE SCHEMA before")
            database.execute("SET search_path = before")
            migrate(database, MIGRATIONS[:4])
            database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA before TO {former}")
            migrate(database, MIGRATIONS[4:])
            for role, may in ((former, True), (nobody, False)):
                assert database.execute(
                    "SELECT bool_and(has_function_privilege(%s, p.oid, 'EXECUTE')) FROM pg_proc p"
                    " WHERE proname IN ('enqueue_job', 'enqueue_jobs') AND pronamespace = 'before'::regnamespace", (role,)).fetchone() == (may,)
    finally:
        take_roles(system)


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
