"""Jobs for one disk exclude each other: those that wait are told when it is their turn, whoever dies."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from harness import invariants
from harness.machine import scaled
from harness.waiting import eventually

DISK = {"user_id": "alice", "disk_name": "home"}
DONE = "SELECT count(*) FROM job_ledger WHERE state = 'succeeded'"
PARKED = "SELECT count(*) FROM outbox WHERE waits_for = 'disk:alice/home'"


@pytest.fixture
def copies(system):
    """How many messages for jobs have been published so far, whoever published them."""
    name = f"{system.prefix}.copies"
    system.channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    system.channel.queue_bind(name, f"{system.prefix}.jobs", "#")
    yield lambda: system.depth("copies")
    system.channel.queue_delete(name)


def snapshots(system, cloud, count: int) -> list[str]:
    system.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    return [system.publish("disk.create-snapshot", DISK) for _ in range(count)]


def test_fifty_jobs_for_one_disk_are_told_when_it_is_their_turn(proxied, proxy, cloud, copies):
    proxy.before("CreateSnapshot", lambda number: time.sleep(6) if number == 1 else None)
    proxied.start(2)
    jobs = snapshots(proxied, cloud, 50)
    invariants.check(proxied, jobs, seconds=90)
    assert all(len(cloud.snapshots_of(job)) == 1 for job in jobs)
    assert proxied.value("SELECT max(attempts) FROM job_ledger") == 1
    assert copies() <= 3 * len(jobs), "they came back in vain again and again"


def test_five_hundred_jobs_for_one_reservation_are_no_storm(system, copies):
    """Each is published, waits once, and is told: what waits costs nothing while it waits."""
    system.add_reservation("r-1", expires_at=datetime.now(UTC) + timedelta(hours=1))
    end = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    jobs = [system.publish("reservation.extend", {"reservation_id": "r-1", "expires_at": end}) for _ in range(500)]
    system.start(2)
    invariants.check(system, jobs, seconds=120)
    assert copies() <= 3 * len(jobs), "they came back in vain again and again"
    assert system.value("SELECT max(attempts) FROM job_ledger") == 1


def test_those_that_wait_for_a_worker_that_is_killed_go_on(proxied, proxy, cloud, copies):
    is_over = threading.Event()
    proxy.before("CreateSnapshot", lambda number: number == 1 and is_over.wait(scaled(25)) and None)
    proxied.start(2)
    jobs = snapshots(proxied, cloud, 12)
    eventually("all but one wait", lambda: proxied.value(PARKED) == 11)
    holder = proxied.value("SELECT worker FROM job_ledger WHERE state = 'running'")
    replica, = [replica for replica in proxied.replicas if holder.endswith(f"/{replica.process.pid}")]
    replica.kill()
    is_over.set()
    # Its job comes back much later, as one that has ended several workers does.
    killed = proxied.value(
        "UPDATE job_ledger SET starts = 4, started_at = now() + interval '5 min' WHERE state = 'running'"
        " RETURNING job_id::text")
    others = [job for job in jobs if job != killed]
    eventually("the others are done", lambda: proxied.value(DONE) == len(others), 25)
    assert proxied.state(killed)[0] != "succeeded"
    proxied.rows("UPDATE job_ledger SET starts = 1 WHERE job_id = %s", killed)
    proxied.hurry()
    invariants.check(proxied, jobs, seconds=90)
    assert all(len(cloud.snapshots_of(job)) == 1 for job in jobs)


def test_what_a_producer_says_of_its_wait_does_no_harm(proxied, cloud):
    proxied.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    jobs = [
        proxied.publish("disk.create-snapshot", DISK, headers={"x-waits-since": since})
        for since in (0, -1, 2**63 - 1, 253402300799999, 253402300800000, "yesterday", True)]
    proxied.start(2)
    invariants.check(proxied, jobs)
