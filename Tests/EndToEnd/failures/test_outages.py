"""RabbitMQ, PostgreSQL or AWS away for a while: the worker waits, recovers by itself, and loses nothing."""

import signal
import threading
import time

import pytest

from harness import invariants
from harness.machine import scaled
from harness.services import services
from harness.waiting import eventually

DISK = {"user_id": "alice", "disk_name": "home"}


def restart(service: str, *options: str) -> None:
    services("restart", service, *options)


def flood(system, count: int) -> list[str]:
    return [system.publish("disk.create", {"user_id": "alice", "disk_name": f"d{number}"}) for number in range(count)]


@pytest.mark.parametrize("options", [(), ("--kill",)], ids=["in order", "killed"])
def test_rabbitmq_is_restarted_under_load(system, options):
    system.start(2)
    system.wait_until_queues_are_kept()
    jobs = flood(system, 400)
    restart("rabbitmq", *options)
    system.connect()
    jobs.append(system.publish("disk.create", DISK))
    system.event(jobs[-1], 10)
    invariants.check(system, jobs)
    assert system.value("SELECT count(*) FROM disks") == len(jobs)
    assert system.value("SELECT max(attempts) FROM job_ledger") == 1
    eventually("each replica has one consumer", lambda: system.consumers("disks") == 2, 10)


@pytest.mark.parametrize("options", [(), ("--kill",)], ids=["in order", "killed"])
def test_postgresql_is_restarted_under_load(system, cloud, options):
    system.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    system.start(2)
    jobs = flood(system, 400)
    jobs.append(system.publish("disk.create-snapshot", DISK))
    restart("postgres", *options)
    late = system.publish("disk.create", {"user_id": "bob", "disk_name": "late"})
    system.event(late, 10)
    invariants.check(system, [*jobs, late])
    assert system.value("SELECT count(*) FROM disks") == len(jobs) + 1
    assert system.value("SELECT max(attempts) FROM job_ledger") == 1
    assert system.value("SELECT count(*) FROM job_attempts") == 0


def test_a_permission_that_is_missing_is_told_with_code_and_request(proxied, proxy, cloud):
    proxied.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    proxy.refuse("CreateSnapshot", 403, "UnauthorizedOperation")
    proxied.start()
    data = proxied.event(proxied.publish("disk.create-snapshot", DISK))["data"]
    assert (data["reason"], data["code"], data["attempts"]) == ("rejected", "UnauthorizedOperation", 1)
    assert "11112222-3333-4444-5555-666677778888" in data["error"]


def test_a_zone_that_does_not_exist_is_a_rejection(system):
    system.add_reservation("r-1")
    system.start(HOSTED_ZONE_ID="Z00000000000000000000")
    job = system.publish("reservation.map-dns", {
        "reservation_id": "r-1", "node_ip": "10.0.1.7", "node_port": 1, "expires_at": "2031-02-03T04:05:06Z"})
    data = system.event(job)["data"]
    assert (data["reason"], data["code"]) == ("rejected", "NoSuchHostedZone")


@pytest.mark.parametrize(("status", "code"), [(503, "RequestLimitExceeded"), (500, "InternalError")])
def test_what_passes_is_tried_again(proxied, proxy, cloud, status, code):
    volume = cloud.create_volume("alice", "home")
    proxied.add_disk("alice", "home", ebs_volume_id=volume)
    proxy.refuse("DescribeVolumes", status, code, times=2)
    proxied.start()
    job = proxied.publish("disk.create-snapshot", DISK)
    invariants.check(proxied, [job])
    assert cloud.snapshots_of(job) == [volume]


def test_a_job_whose_tries_are_used_up_dies_with_all_of_them_on_record(proxied, proxy):
    proxied.add_disk("alice", "home", ebs_volume_id="vol-0123456789abcdef0")
    proxy.refuse("DescribeVolumes", 503, "RequestLimitExceeded")
    proxied.start(WORKER_MAX_ATTEMPTS="2")
    job = proxied.publish("disk.create-snapshot", DISK)
    data = proxied.event(job, 60)["data"]
    assert (data["reason"], data["code"], data["attempts"]) == ("exhausted", "RequestLimitExceeded", 2)
    attempts = proxied.rows("SELECT attempt, fate, code FROM job_attempts ORDER BY attempt")
    assert attempts == [(1, "retry", "RequestLimitExceeded"), (2, "dead", "RequestLimitExceeded")]
    assert proxied.state(job) == ("dead", 2)


def test_a_try_after_one_that_took_too_long_adopts_what_that_had_begun(proxied, proxy, cloud):
    volume = cloud.create_volume("alice", "home")
    proxied.add_disk("alice", "home", ebs_volume_id=volume)
    proxy.delay("CreateSnapshot", 3)
    proxied.start(WORKER_DEADLINE="1s")
    job = proxied.publish("disk.create-snapshot", DISK)
    invariants.check(proxied, [job])
    assert proxied.state(job) == ("succeeded", 2)
    assert cloud.snapshots_of(job) == [volume]


def test_an_idle_worker_ends_within_a_second(system):
    replica, = system.start()
    started = time.monotonic()
    assert replica.stop() == 0
    assert time.monotonic() - started < scaled(1)


def test_a_job_that_runs_is_finished_within_the_grace(proxied, proxy, cloud):
    proxied.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    proxy.delay("CreateSnapshot", 2)
    replica, = proxied.start()
    job = proxied.publish("disk.create-snapshot", DISK)
    eventually("the job runs", lambda: proxy.count("CreateSnapshot"))
    assert replica.stop() == 0
    invariants.check(proxied, [job])


def test_a_job_that_takes_longer_is_given_back_with_no_attempt_used(proxied, proxy, cloud):
    volume = cloud.create_volume("alice", "home")
    proxied.add_disk("alice", "home", ebs_volume_id=volume)
    proxy.before("CreateSnapshot", lambda number: time.sleep(5) if number == 1 else None)
    replica, = proxied.start(WORKER_SHUTDOWN_GRACE="1s")
    job = proxied.publish("disk.create-snapshot", DISK)
    eventually("the job runs", lambda: proxy.count("CreateSnapshot"))
    started = time.monotonic()
    assert replica.stop() == 0
    assert time.monotonic() - started < scaled(3)
    assert proxied.state(job) == ("waiting", 0)
    assert proxied.depth("disks") == 1
    eventually("AWS has carried it out", lambda: cloud.snapshots_of(job))
    proxied.start()
    invariants.check(proxied, [job])
    assert proxied.state(job) == ("succeeded", 1)
    assert cloud.snapshots_of(job) == [volume]


def test_a_second_signal_ends_the_worker_at_once(proxied, proxy, cloud):
    proxied.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    proxy.delay("CreateSnapshot", 5)
    replica, = proxied.start()
    proxied.publish("disk.create-snapshot", DISK)
    eventually("the job runs", lambda: proxy.count("CreateSnapshot"))
    replica.send(signal.SIGTERM)
    eventually("it is ending", lambda: "ending: jobs that run" in replica.log.read_text())
    replica.send(signal.SIGTERM)
    assert replica.wait(1) == 128 + signal.SIGTERM


def test_random_deaths_lose_nothing_and_double_nothing(system):
    system.start(2)
    jobs: list[str] = []
    ended = threading.Event()

    def kill_now_and_then() -> None:
        turn = 0
        while not ended.wait(0.7):
            victim = system.replicas[-2 + turn % 2]
            victim.kill()
            system.start_doomed()
            turn += 1

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            jobs += flood_more(system, len(jobs), 25)
    finally:
        ended.set()
        killer.join()
    invariants.check(system, jobs, seconds=60)
    assert system.value("SELECT count(*) FROM disks") == len(jobs)


def flood_more(system, start: int, count: int) -> list[str]:
    return [
        system.publish("disk.create", {"user_id": "alice", "disk_name": f"d{number}"})
        for number in range(start, start + count)]
