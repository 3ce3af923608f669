"""Ways to RabbitMQ and PostgreSQL that others could read or take over are refused."""

import pytest

REMOTE_BROKER = "amqp://user:geheim@rabbit.example.com/"
REMOTE_DATABASE = "postgresql://user:geheim@db.example.com/platform"


@pytest.mark.parametrize(("settings", "named"), [
    ({"AMQP_URL": REMOTE_BROKER}, "AMQP_URL"),
    ({"AMQP_URL": "amqp://user:geheim@10.0.0.7:5672"}, "AMQP_URL"),
    ({"AMQP_URL": "amqp://user:geheim@127.0.0.1.example.com"}, "AMQP_URL"),
    ({"DATABASE_URL": REMOTE_DATABASE}, "DATABASE_URL"),
    *(({"DATABASE_URL": f"{REMOTE_DATABASE}?sslmode={mode}"}, "DATABASE_URL")
      for mode in ("disable", "allow", "prefer", "require", "verify-ca")),
    ({"DATABASE_URL": "host=127.0.0.1,db.example.com dbname=platform"}, "DATABASE_URL"),
    ({"DATABASE_URL": "host=localhost hostaddr=10.0.0.7 dbname=platform"}, "DATABASE_URL"),
    ({"DATABASE_URL": "postgresql:///platform?host=db.example.com"}, "DATABASE_URL"),
    ({"DATABASE_URL": "service=platform"}, "DATABASE_URL"),
    ({"DATABASE_URL": "postgresql:///platform", "PGHOST": "db.example.com"}, "DATABASE_URL"),
    ({"DATABASE_URL": "", "PGHOST": "db.example.com", "PGSSLMODE": "require"}, "PGHOST"),
    ({"DATABASE_DIRECT_URL": REMOTE_DATABASE}, "DATABASE_DIRECT_URL"),
    ({"DATABASE_URL": REMOTE_DATABASE, "ALLOW_PLAINTEXT": "false"}, "DATABASE_URL"),
    ({"ALLOW_PLAINTEXT": "yes"}, "ALLOW_PLAINTEXT"),
])
def test_an_unprotected_way_to_another_host_is_refused(system, settings, named):
    result = system.run("doctor", **settings)
    assert result.returncode == 78 and named in result.stderr
    assert named == "ALLOW_PLAINTEXT" or "ALLOW_PLAINTEXT=true" in result.stderr
    assert "geheim" not in result.stdout + result.stderr


@pytest.mark.parametrize("settings", [
    {"AMQP_URL": "amqps://user:geheim@rabbit.invalid/"},
    {"AMQP_URL": "amqp://user:geheim@rabbit.invalid/", "ALLOW_PLAINTEXT": "true"},
    {"AMQP_URL": "amqp://user:geheim@[::1]:1/"},
    {"AMQP_URL": "amqp://user:geheim@LOCALHOST:1/"},
    {"AMQP_URL": "amqp://user:geheim@127.9.9.9:1/"},
])
def test_a_protected_way_to_the_broker_is_tried(system, settings):
    assert system.run("dead", "list", **settings).returncode == 69


@pytest.mark.parametrize("settings", [
    {"DATABASE_URL": "postgresql://user@db.invalid/platform?sslmode=verify-full"},
    {"DATABASE_URL": "postgresql://user@db.invalid/platform", "PGSSLMODE": "verify-full"},
    {"DATABASE_URL": "postgresql://user@db.invalid/platform", "ALLOW_PLAINTEXT": "true"},
    {"DATABASE_URL": "host=/nowhere,@nobody,127.0.0.1,::1 port=1 dbname=platform"},
    {"DATABASE_URL": "", "PGHOST": "/nowhere"},
])
def test_a_protected_way_to_the_database_is_tried(system, settings):
    assert system.run("jobs", "list", **settings).returncode == 69


def test_doctor_tells_the_mode_in_use(system):
    told = system.run("doctor").stdout
    assert "plaintext within this machine" in told and "within this machine (sslmode=prefer)" in told


def test_a_worker_and_a_migration_refuse_too(system):
    for command in ("run", "migrate"):
        assert system.run(command, DATABASE_URL=REMOTE_DATABASE).returncode == 78
    for command in (["run"], ["topology", "check"], ["enqueue", "disk.undelete", '{"user_id": "a", "disk_name": "b"}']):
        assert system.run(*command, AMQP_URL=REMOTE_BROKER).returncode == 78
