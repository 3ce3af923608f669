"""The benchmark's own programs: they count what passes, and the yardstick in C keeps the promises that it is compared by."""

import collections
import os
import subprocess
import uuid

import psycopg
import pytest

from bench import programs
from bench.ways import Relay, Way
from EndToEnd.costs.meters import PostgresMeter
from harness.broker import broker_url
from harness.database import server_url
from harness.network.fault_proxy import FaultProxy
from harness.waiting import eventually

# Two lanes would build them at once.
pytestmark = pytest.mark.xdist_group("benchmark")

STATEMENTS = {
    "LEDGER_SQL":
        "INSERT INTO job_ledger (job_id, kind, state, attempts) VALUES ($1, 'disk.create', 'succeeded', 1)",
    "DISK_SQL": "INSERT INTO disks (disk_id, user_id, disk_name, size_gb) VALUES ($1, $2, $3, $4)",
    "OUTBOX_SQL":
        "INSERT INTO outbox (destination, routing_key, message_id, correlation_id, body)"
        " VALUES ('events', 'disk.create.completed', $1::text || '.completed', $1::text, $2) RETURNING id",
}


def test_a_relay_counts_round_trips_as_the_meter_of_the_tests_does():
    counts = collections.Counter()
    proxy = FaultProxy.before(server_url(), meter=lambda: PostgresMeter(counts))
    relay = Relay(proxy.url, "postgresql")
    url = Way(postgres_port=relay.port).settings(broker_url(), server_url())["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        for number in range(5):
            assert connection.execute("SELECT %s::int", (number,)).fetchone() == (number,)
        connection.execute("SELECT 1")
    assert relay.close() == sum(counts[letter] for letter in "SHQ") == 6
    proxy.close()


def test_a_relay_delays():
    with_delay = Relay(server_url(), "postgresql", 200_000)
    url = Way(postgres_port=with_delay.port).settings(broker_url(), server_url())["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        moments = [connection.execute("SELECT clock_timestamp()").fetchone()[0] for _ in range(2)]
    assert (moments[1] - moments[0]).total_seconds() >= 0.4
    with_delay.close()


@pytest.mark.parametrize("round_trips", [1, 2])
def test_a_yardstick_loses_nothing_and_does_nothing_twice(system, round_trips):
    jobs = [str(uuid.uuid4()) for _ in range(400)]
    for number, job in enumerate(jobs):
        payload = {"user_id": "alice", "disk_name": f"d{number}", "size_gb": 10}
        for _ in range(2):
            system.publish("disk.create", payload, job)
    environment = system.environment | STATEMENTS | {
        "JOBS_QUEUE": f"{system.prefix}.disks", "EVENTS_EXCHANGE": f"{system.prefix}.events"}
    done = "SELECT count(*) FROM job_ledger"
    for share in (0.2, 0.5, 1):
        worker = subprocess.Popen([programs.c_worker(), str(round_trips)], env=environment)
        try:
            eventually("jobs are done", lambda share=share: system.value(done) >= share * len(jobs))
            if share == 1:
                eventually("the queue is empty", lambda: system.depth("disks") == 0)
                eventually("the outbox is empty", lambda: system.value("SELECT count(*) FROM outbox") == 0)
            assert worker.poll() is None
        finally:
            worker.kill()
            worker.wait(10)
    assert system.value(done) == system.value("SELECT count(*) FROM disks") == len(jobs)
    assert {event["jobid"] for event in system.events()} == set(jobs)


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "BUILT", tmp_path)
    monkeypatch.setattr(programs.subprocess, "run", lambda *_, **__: os.stat("/nowhere/at/all"))
    with pytest.raises(programs.Missing, match="apt-get install .*golang-go"):
        programs.go_worker()
