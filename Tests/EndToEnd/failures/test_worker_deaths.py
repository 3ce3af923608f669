"""A worker that dies at any step, and the one that comes after it: nothing lost, every effect once."""

import datetime
import signal
import subprocess
import threading
import urllib.parse

import boto3
import pytest

from harness import invariants
from harness.machine import scaled
from harness.network.trigger_proxy import TriggerProxy
from harness.program import PROGRAM
from harness.waiting import eventually

DISK = {"user_id": "alice", "disk_name": "home"}


@pytest.fixture
def disk(system, cloud):
    """A disk with a volume, to take snapshots of."""
    volume = cloud.create_volume("alice", "home")
    system.add_disk("alice", "home", ebs_volume_id=volume)
    return volume


def die_at(system, point: str, number: int = 1):
    replica = system.start_doomed(GPUDEV_KILL_AT=f"{point}:{number}")
    assert replica.wait(30) == -signal.SIGKILL


@pytest.mark.parametrize("point", ["delivered", "claimed", "acted", "committing", "committed", "confirmed"])
def test_a_snapshot_survives_death_at_any_step(system, cloud, disk, point):
    job = system.publish("disk.create-snapshot", DISK)
    die_at(system, point)
    system.start()
    invariants.check(system, [job])
    assert cloud.snapshots_of(job) == [disk]
    assert system.state(job) == ("succeeded", 1)


@pytest.mark.parametrize("point", ["delivered", "committing", "committed", "confirmed"])
def test_a_row_survives_death_at_any_step(system, point):
    job = system.publish("disk.create", DISK)
    die_at(system, point)
    system.start()
    invariants.check(system, [job])
    assert system.value("SELECT count(*) FROM disks") == 1
    assert system.state(job) == ("succeeded", 1)


def through_proxy(system, setting: str, pattern: bytes, strike=lambda: None) -> TriggerProxy:
    """Puts a proxy in front of the service that a setting names."""
    url = urllib.parse.urlparse(system.environment[setting])
    proxy = TriggerProxy(url.hostname, url.port, pattern, strike)
    system.environment[setting] = url._replace(netloc=url.netloc.replace(str(url.port), str(proxy.port))).geturl()
    return proxy


@pytest.mark.parametrize("dies", [True, False], ids=["and the worker dies", "and the worker lives"])
@pytest.mark.parametrize("kind", ["disk.create", "disk.create-snapshot"])
def test_a_commit_whose_answer_is_lost_counts_once(system, cloud, kind, dies):
    volume = cloud.create_volume("alice", "other")
    system.add_disk("alice", "other", ebs_volume_id=volume)
    settings = dict(system.environment)
    proxy = through_proxy(
        system, "DATABASE_URL", b"completed", lambda: system.replicas[0].kill() if dies else None)
    job = system.publish(kind, DISK if kind == "disk.create" else DISK | {"disk_name": "other"})
    system.start_doomed()
    assert proxy.has_struck.wait(scaled(20))
    eventually("the worker has met its fate", lambda: system.replicas[0].is_alive != dies)
    system.environment = settings
    system.start()
    invariants.check(system, [job])
    assert system.state(job) == ("succeeded", 1)
    assert system.value("SELECT count(*) FROM disks") == (2 if kind == "disk.create" else 1)
    assert len(cloud.snapshots_of(job)) == (kind == "disk.create-snapshot")
    proxy.close()


def test_an_event_whose_confirm_is_lost_is_published_again_under_the_same_id(system):
    job = system.publish("disk.create", DISK)
    settings = dict(system.environment)
    proxy = through_proxy(system, "AMQP_URL", b"x-outbox-id", lambda: system.replicas[0].kill())
    system.start_doomed()
    assert proxy.has_struck.wait(scaled(20))
    eventually("the worker is dead", lambda: not system.replicas[0].is_alive)
    system.environment = settings
    system.start()
    invariants.check(system, [job])
    proxy.close()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_snapshot_is_adopted_when_the_answer_of_aws_was_lost(proxied, proxy, cloud, disk, moment):
    job = proxied.publish("disk.create-snapshot", DISK)
    strike = threading.Event()

    def kill(*_) -> None:
        if not strike.is_set():
            strike.set()
            proxied.replicas[0].kill()

    getattr(proxy, moment)("CreateSnapshot", kill)
    proxied.start_doomed()
    eventually("the worker was killed", lambda: strike.is_set() and not proxied.replicas[0].is_alive)
    eventually("AWS has carried it out", lambda: cloud.snapshots_of(job))
    proxied.start()
    invariants.check(proxied, [job])
    assert cloud.snapshots_of(job) == [disk]


@pytest.mark.parametrize("action", ["CreateTargetGroup", "RegisterTargets", "CreateRule"])
def test_a_route_is_made_once_though_the_worker_dies_on_the_way(proxied, proxy, cloud, action):
    proxied.add_reservation("r-1")
    job = proxied.publish("reservation.create-target-group", {
        "reservation_id": "r-1", "domain_name": "host", "pod_name": "gpu-dev-r-1", "instance_id": cloud.instance,
        "jupyter_port": 30888, "expires_at": "2031-02-03T04:05:06Z"})
    strike = threading.Event()

    def kill() -> None:
        if not strike.is_set():
            strike.set()
            proxied.replicas[0].kill()

    proxy.after(action, kill)
    proxied.start_doomed()
    eventually("the worker was killed", lambda: strike.is_set() and not proxied.replicas[0].is_alive)
    proxied.start()
    invariants.check(proxied, [job], seconds=60)
    assert len(boto3.client("elbv2").describe_target_groups()["TargetGroups"]) == 1
    assert cloud.routed_hosts() == ["host.devservers.example"]


def test_a_replay_survives_death_before_the_letter_is_taken_off(system, cloud):
    system.start()
    job = system.publish("disk.create-snapshot", DISK)
    assert system.event(job)["data"]["code"] == "unknown-disk"
    system.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    eventually("the letter lies there", lambda: system.depth("disks.dead") == 1)
    result = system.run("dead", "replay", "--job", job, GPUDEV_KILL_AT="replay-published:1")
    assert result.returncode == -signal.SIGKILL
    eventually("the job succeeds", lambda: system.state(job) == ("succeeded", 2))
    eventually("the letter is back", lambda: system.depth("disks.dead") == 1)
    assert "replayed 1 messages" in system.call("dead", "replay", "--job", job)
    eventually("the letter is gone", lambda: system.depth("disks.dead") == 0)
    eventually("nothing is on its way", lambda: not system.rows("SELECT FROM outbox") and not system.depth("disks"))
    assert len(cloud.snapshots_of(job)) == 1
    assert {event["id"] for event in system.events_of(job)} == {f"{job}.failed.1", f"{job}.completed"}


def test_a_worker_killed_while_it_drains_leaves_its_jobs_to_the_next(proxied, proxy, cloud, disk):
    proxy.delay("CreateSnapshot", 2)
    job = proxied.publish("disk.create-snapshot", DISK)
    replica, = proxied.start(GPUDEV_KILL_AT="draining:1")
    eventually("the job runs", lambda: proxy.count("CreateSnapshot") == 1)
    replica.send(signal.SIGTERM)
    assert replica.wait(20) == -signal.SIGKILL
    proxied.start()
    invariants.check(proxied, [job])
    assert cloud.snapshots_of(job) == [disk]


def test_a_job_that_keeps_killing_its_worker_is_quarantined_and_its_neighbours_are_not(system, cloud, disk):
    settings = {"WORKER_MAX_STARTS": "2", "GPUDEV_KILL_AT": "claimed:1", "WORKER_CONCURRENCY": "1"}
    poison = system.publish("disk.create-snapshot", DISK)
    for _ in range(2):
        replica = system.start_doomed(**settings)
        assert replica.wait(30) == -signal.SIGKILL
    neighbour = system.publish("disk.create", DISK | {"disk_name": "other"})
    system.start(WORKER_MAX_STARTS="2")
    assert system.event(poison, 60)["data"]["reason"] == "poison"
    invariants.check(system, [neighbour], dead=[poison])
    assert system.state(poison) == ("dead", 0)


def test_a_worker_that_wakes_up_late_writes_nothing(proxied, proxy, cloud, disk):
    stale, = proxied.start(WORKER_DEADLINE="1s")
    proxy.before("CreateSnapshot", lambda number: stale.send(signal.SIGSTOP) if number == 1 else None)
    job = proxied.publish("disk.create-snapshot", DISK)
    eventually("the first worker is stopped in its tracks", lambda: proxy.count("CreateSnapshot") == 1)
    # The broker hands the message on when the first one's heartbeats have stayed out.
    proxied.start()
    proxied.publish("disk.create-snapshot", DISK, job)
    eventually("the second worker has done it", lambda: proxied.state(job) == ("succeeded", 1), 40)
    stale.send(signal.SIGCONT)
    eventually("the first one works again", lambda: any(
        words in stale.log.read_text() for words in ("the claim was lost", "an attempt was interrupted")), 20)
    invariants.check(proxied, [job])
    assert cloud.snapshots_of(job) == [disk]


@pytest.mark.parametrize(("kind", "payload", "subject"), [
    ("disk.create-snapshot", {"user_id": "alice/b", "disk_name": "home"}, "disk/alice%2Fb/home"),
    ("disk.create", {"user_id": "alice", "disk_name": "home", "size_gb": "large"}, "disk/alice/home"),
    ("disk.reconcile-volume", {"volume_id": "vol-nonsense"}, "volume/vol-nonsense"),
    ("reservation.unmap-dns", {"reservation_id": "r-1", "dry_run": "perhaps"}, "reservation/r-1"),
    ("disk.defragment", {"user_id": "alice", "disk_name": "home"}, "disk/alice/home"),
    ("disk.create", {"user_id": "a\x1b[2J", "disk_name": "home"}, None),
    ("disk.create", {"user_id": ["alice"], "disk_name": "home"}, None),
    ("capacity.recount", {}, "capacity"), ("disk.create", b'{"user_id": "alice", ', None)])
def test_the_event_of_a_death_says_what_the_job_was_about(system, kind, payload, subject):
    """Who follows one disk or one reservation hears of its failures too."""
    system.start()
    event = system.event(system.publish(kind, payload, checked=False))
    assert event["type"] == f"{kind}.failed" and event.get("subject") == subject
    assert event["data"].keys() == {"reason", "code", "error", "attempts"}
    with subprocess.Popen(
            [PROGRAM, "events", "--since", "first"], env=system.environment, stdout=subprocess.PIPE, text=True) as feed:
        line = feed.stdout.readline()
        feed.terminate()
    assert f"  {subject or '-'}  " in line and event["data"]["reason"] in line


def test_a_replica_leaves_to_others_what_it_has_no_settings_for(system, cloud):
    """One badly configured replica must not bury what its neighbour can do."""
    settings = {name: "" for name in cloud.settings()}
    system.add_reservation("r-1")
    expiry = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
    payload = {"reservation_id": "r-1", "node_ip": "10.0.1.7", "node_port": 30022, "expires_at": expiry}
    system.start(**settings)
    job = system.publish("reservation.map-dns", payload)
    eventually("it was left to others", lambda: "not-configured" in system.replicas[0].log.read_text())
    alone = system.event(job)
    assert (alone["data"]["reason"], alone["data"]["code"]) == ("rejected", "not-configured")
    assert "DOMAIN_NAME" in alone["data"]["error"] and alone["subject"] == "reservation/r-1"
    # Beside a replica that has the settings, none dies.
    system.start()
    jobs = [system.publish("reservation.map-dns", payload) for _ in range(10)]
    assert {system.event(each)["type"] for each in jobs} == {"reservation.map-dns.completed"}
