"""Each queue has its lane: what is slow, or comes again and again, or may not be consumed, holds up nothing else."""

import collections
import threading
import uuid

import pytest

from harness import invariants
from harness.accounts import PASSWORD, login
from harness.broker import management
from harness.machine import scaled
from harness.waiting import eventually

SLOTS, GUARANTEED = 64, 10
MOST = SLOTS - 2 * GUARANTEED
"""What one of three queues can have, where the others are sure of their share."""

PATIENT = {"WORKER_DEADLINE": "10m"}
"""No job ends because it takes long."""


class Gate:
    """Holds back one action of AWS until it is opened."""

    def __init__(self, proxy, action: str) -> None:
        self._open = threading.Event()
        proxy.before(action, self._hold)

    def _hold(self, _: int) -> None:
        self._open.wait(scaled(120))

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(proxy):
    """Where each job that looks at its volume stands still."""
    gate = Gate(proxy, "DescribeVolumes")
    yield gate
    gate.open()


def disk(number: int) -> dict:
    return {"user_id": "alice", "disk_name": f"d{number}"}


def flood(system, count: int) -> list[str]:
    """Sends jobs that stand still at the gate."""
    for number in range(count):
        system.add_disk("alice", f"d{number}", ebs_volume_id=f"vol-{number:017x}")
    return [system.publish("disk.create-snapshot", disk(number)) for number in range(count)]


def running(system, kind: str = "disk.create-snapshot") -> int:
    return sum(replica.admin.scrape().total("gpudev_jobs_running", kind=kind) for replica in system.replicas)


def publish_refused(system) -> str:
    """A job of another queue, which ends at once."""
    return system.publish("reservation.map-dns", {
        "reservation_id": str(uuid.uuid4()), "node_ip": "10.0.1.7", "node_port": 1,
        "expires_at": "2031-02-03T04:05:06Z"})


def test_slow_jobs_of_one_queue_leave_slots_to_the_others(proxied, gate):
    replica, = proxied.start(**PATIENT)
    flood(proxied, 100)
    eventually("the disks have all that they can have", lambda: running(proxied) >= MOST)
    refused = [publish_refused(proxied) for _ in range(3 * GUARANTEED)]
    refresh = proxied.publish("capacity.refresh", {})
    for job in refused:
        assert proxied.event(job)["type"] == "reservation.map-dns.failed"
    eventually("the other queue's too was begun", lambda: proxied.state(refresh))
    told = replica.admin.scrape()
    queue = f"{proxied.prefix}.disks"
    assert told.total("gpudev_lane_slots", queue=queue) == running(proxied) == MOST
    assert told.total("gpudev_lane_slots_taken", queue=queue) == MOST
    assert told.total("gpudev_lane_waiting") == 0


def test_what_a_replica_may_not_run_is_left_to_the_next(proxied, gate):
    proxied.start(**PATIENT)
    flood(proxied, 100)
    eventually("one runs what it may", lambda: running(proxied) == MOST)
    assert proxied.depth("disks") == 100 - MOST
    proxied.start(**PATIENT)
    eventually("the other too", lambda: running(proxied) == 2 * MOST)
    assert proxied.depth("disks") == 100 - 2 * MOST


def test_a_replica_of_one_queue_has_all_slots_for_it(proxied, gate):
    proxied.start(**PATIENT, WORKER_QUEUES="disks")
    flood(proxied, 80)
    eventually("it runs as many as it has slots", lambda: running(proxied) == SLOTS)
    assert proxied.depth("disks") == 80 - SLOTS


def test_copies_of_one_message_do_not_block_the_others(proxied, proxy, cloud):
    gate = Gate(proxy, "CreateSnapshot")
    volume = cloud.create_volume("alice", "d0")
    proxied.add_disk("alice", "d0", ebs_volume_id=volume)
    proxied.start(**PATIENT)
    copied = proxied.publish("disk.create-snapshot", disk(0))
    for _ in range(99):
        proxied.publish("disk.create-snapshot", disk(0), copied)
    other = proxied.publish("disk.create", disk(1))
    assert proxied.event(other)["type"] == "disk.create.completed"
    assert running(proxied) == 1 and proxied.state(copied) == ("running", 0)
    gate.open()
    invariants.check(proxied, [copied, other])
    assert cloud.snapshots_of(copied) == [volume]


def test_what_comes_again_after_a_lost_connection_is_kept_until_the_job_has_an_outcome(proxied, proxy, cloud, proxy_before):
    """While the job still runs, its message is the only one; the death of the worker must not be the job's end."""
    broker = proxy_before("AMQP_URL")
    gate = Gate(proxy, "CreateSnapshot")
    volume = cloud.create_volume("alice", "d0")
    proxied.add_disk("alice", "d0", ebs_volume_id=volume)
    replica, = proxied.start(**PATIENT)
    copied = proxied.publish("disk.create-snapshot", disk(0))
    for _ in range(19):
        proxied.publish("disk.create-snapshot", disk(0), copied)
    eventually("it runs", lambda: running(proxied) == 1 and proxied.depth("disks") == 0)
    broker.reset()
    eventually("it comes again", lambda: replica.admin.scrape().total("gpudev_lane_waiting") == 1)
    assert running(proxied) == 1
    other = proxied.publish("disk.create", disk(1))
    assert proxied.event(other)["type"] == "disk.create.completed"
    replica.kill()
    gate.open()
    proxied.start()
    invariants.check(proxied, [copied, other])
    assert cloud.snapshots_of(copied) == [volume]


def test_a_kind_over_its_limit_takes_no_slots_and_holds_up_no_others(proxied, gate):
    limits = {"WORKER_KIND_LIMITS": "disk.create-snapshot=2, disk.prune-snapshots=1"}
    replica, = proxied.start(**PATIENT, **limits)
    flood(proxied, 100)
    other = proxied.publish("disk.create", disk(1000))
    assert proxied.event(other)["type"] == "disk.create.completed"
    assert running(proxied) == 2
    assert 0 < replica.admin.scrape().total("gpudev_lane_waiting") <= MOST / 2
    gate.open()
    ended = "SELECT count(*) FROM job_ledger WHERE state IN ('succeeded', 'dead') OR attempts > 0"
    eventually("those put aside come back and end", lambda: proxied.value(ended) == 101, 60)


@pytest.mark.parametrize(("limits", "hint"), [
    ("disk.create-snapshots=8", "did you mean disk.create-snapshot?"), ("disk.shred=1", "disk.shred"),
    ("disk.create=0", "from 1 to"), ("disk.create=many", "from 1 to"), ("disk.create", "such as"),
    ("disk.create=1,disk.create=2", "twice")])
def test_limits_that_cannot_be_meant_are_told_at_the_start(system, limits, hint):
    result = system.run("run", WORKER_KIND_LIMITS=limits)
    assert result.returncode == 78
    assert "WORKER_KIND_LIMITS" in result.stderr and hint in result.stderr


# ---- a queue that cannot be consumed --------------------------------------------------------------------------


def unconsumed(replica) -> str:
    """What readiness says of the queues, empty where all are consumed."""
    return replica.admin.ask("/readyz?verbose").json["checks"]["jobs-connection"].get("detail", "")


def reconnects(replica) -> collections.Counter:
    return replica.admin.scrape().by("gpudev_reconnects_total", "connection")


def is_done(system) -> bool:
    job = system.publish("disk.create", disk(uuid.uuid4().int))
    return system.event(job)["type"] == "disk.create.completed" and bool(system.event(publish_refused(system)))


def test_a_queue_that_is_deleted_is_missed_alone_and_taken_up_when_it_is_back(system):
    replica, = system.start()
    eventually("it is ready", lambda: replica.admin.says_yes("/readyz"))
    system.channel.queue_delete(f"{system.prefix}.capacity")
    eventually("it is missed", lambda: f"{system.prefix}.capacity" in unconsumed(replica))
    eventually("it was asked for again", lambda: "no queue" in unconsumed(replica))
    assert f"{system.prefix}.disks" not in unconsumed(replica)
    for _ in range(5):
        assert is_done(system)
    assert replica.admin.lacking() == {"jobs-connection"}
    assert replica.log.read_text().count("a queue cannot be consumed") == 1
    system.call("topology", "declare")
    eventually("it is consumed", lambda: system.consumers("capacity") == 1)
    eventually("it is ready again", lambda: replica.admin.says_yes("/readyz"))
    refresh = system.publish("capacity.refresh", {})
    eventually("its jobs are begun", lambda: system.state(refresh))
    assert (+reconnects(replica)).keys() == {"capacity"}
    assert system.consumers("disks") == system.consumers("reservations") == 1


def test_a_queue_that_an_account_may_not_read_is_missed_alone(system):
    user = f"{system.prefix}-worker"
    management(f"users/{user}", "PUT", {"password": PASSWORD, "tags": ""})
    rights = {"configure": ".*", "write": ".*"}
    management(f"permissions/%2F/{user}", "PUT", rights | {"read": rf"^{system.prefix}\.(?!capacity)"})
    try:
        replica = system.start_doomed(AMQP_URL=login(system.environment["AMQP_URL"], user))
        eventually("it is missed", lambda: "refused" in unconsumed(replica))
        assert f"{system.prefix}.capacity" in unconsumed(replica) and f"{system.prefix}.disks" not in unconsumed(replica)
        assert is_done(system)
        management(f"permissions/%2F/{user}", "PUT", rights | {"read": ".*"})
        eventually("it is ready", lambda: replica.admin.says_yes("/readyz"))
        assert system.consumers("capacity") == 1
        assert replica.stop() == 0
    finally:
        management(f"users/{user}", "DELETE")
