"""What no worker can do: where it goes, and that nothing else suffers."""

import json
import uuid

import pytest

from harness.waiting import eventually

DISK = {"user_id": "alice", "disk_name": "home"}


def nested(depth: int) -> bytes:
    return b'{"user_id":' + b"[" * depth + b"]" * depth + b"}"


MALFORMED = {
    "breaks off": b'{"user_id": ',
    "is a number too large": b'{"user_id": NaN}',
    "is no UTF-8": b'{"user_id": "\xff\xfe"}',
    "holds a NUL": b'{"user_id": "a\x00b"}',
    "holds an escaped NUL": b'{"user_id": "a\\u0000b"}',
    "is nested too deep": nested(65),
    "is nested far too deep": nested(10_000),
    "is empty": b"",
}


def is_alive(system) -> bool:
    job = system.publish("disk.create", {"user_id": "alice", "disk_name": "after"})
    return system.event(job)["type"] == "disk.create.completed"


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_is_malformed_is_buried_byte_for_byte(system, body):
    system.start()
    job = system.publish("disk.create", body, headers={"x-requested-by": "me"}, correlation_id="c")
    properties, found = system.letter()
    assert found == body
    assert properties.message_id == job and properties.correlation_id == "c" and properties.delivery_mode == 2
    headers = properties.headers
    assert (headers["x-dead-reason"], headers["x-dead-attempts"]) == ("malformed", 0)
    assert headers["x-original-exchange"] == f"{system.prefix}.jobs"
    assert headers["x-original-routing-key"] == "disk.create"
    assert headers["x-requested-by"] == "me" and headers["x-replay-count"] == 0
    assert system.event(job)["data"]["reason"] == "malformed"
    assert system.state(job) is None
    assert is_alive(system)


@pytest.mark.parametrize("size", [(1 << 20) + 1, 17 << 20], ids=["just too large", "beyond all measure"])
def test_a_body_that_is_too_large_is_buried_by_the_broker_itself(system, size):
    system.start()
    body = b"x" * size
    job = system.publish("disk.create", body, headers={"x-requested-by": "me"}, correlation_id="c")
    assert system.event(job)["data"] == {
        "reason": "malformed", "code": "size", "attempts": 0,
        "error": f"the body has {size} bytes; at most {1 << 20} are read"}
    eventually("it is buried", lambda: system.depth("disks.dead") == 1)
    letter, = json.loads(system.call("dead", "list", "--json", "--reason", "malformed"))
    assert (letter["job_id"], letter["code"], letter["bytes"]) == (job, "size", size)
    properties, found = system.letter()
    assert found == body and properties.correlation_id == "c" and properties.headers["x-requested-by"] == "me"
    assert system.state(job) is None
    assert is_alive(system)


def test_a_large_body_without_a_name_or_a_way_back_is_buried_all_the_same(system):
    """Neither an id to tell of, nor a routing key that leads to a dead queue."""
    system.start()
    body = b"x" * (2 << 20)
    system.channel.basic_publish("", f"{system.prefix}.disks", body, mandatory=True)
    properties, found = system.letter()
    assert found == body and properties.headers["x-first-death-reason"] == "rejected"
    assert system.events() == []
    assert is_alive(system)


@pytest.mark.parametrize(
    "properties", [{"content_type": "text/plain"}, {"message_id": None}, {"message_id": "no-uuid"}],
    ids=["content type", "no id", "id that is no UUID"])
def test_an_envelope_that_is_malformed_is_buried(system, properties):
    system.start()
    system.publish("disk.create", DISK, **properties)
    letter, _ = system.letter()
    assert letter.headers["x-dead-reason"] == "malformed"
    assert is_alive(system)


@pytest.mark.parametrize(("payload", "path"), [
    (b"[]", "payload"), (b"null", "payload"), (b'"x"', "payload"),
    (b'{"disk_name": "home"}', "user_id"),
    (b'{"user_id": "alice", "disk_name": "a b"}', "disk_name"),
    (b'{"user_id": 7, "disk_name": "home"}', "user_id"),
    (b'{"user_id": "alice", "disk_name": "home", "size_gb": 0}', "size_gb"),
    (b'{"user_id": "alice", "disk_name": "home", "size_gb": 99999999999999999999}', "size_gb"),
    (b'{"user_id": "alice", "disk_name": "home", "size_gb": "10"}', "size_gb"),
])
def test_a_payload_that_breaks_its_schema_names_the_field(system, payload, path):
    system.start()
    job = system.publish("disk.create", payload)
    data = system.event(job)["data"]
    assert data["reason"] == "invalid-payload" and data["error"].startswith(f"{path}: ")
    properties, body = system.letter()
    assert body == payload and properties.headers["x-dead-reason"] == "invalid-payload"
    assert system.state(job) == ("dead", 0)


def test_every_wrong_field_is_named(system):
    system.start()
    job = system.publish("disk.create", {"user_id": "", "disk_name": "a b", "size_gb": -1}, checked=False)
    error = system.event(job)["data"]["error"]
    assert all(field in error for field in ("user_id", "disk_name", "size_gb"))


def test_fields_that_nobody_knows_are_ignored(system):
    system.start()
    job = system.publish("disk.create", DISK | {"colour": "blue", "deep": {"list": [1, None]}})
    assert system.event(job)["type"] == "disk.create.completed"


def test_a_kind_that_nobody_knows_waits_before_it_dies(system):
    system.start()
    job = system.publish("disk.polish", b"{}")
    properties, _ = system.letter()
    assert properties.headers["x-dead-reason"] == "unknown-kind"
    assert system.rows("SELECT state, attempts, snoozes FROM job_ledger WHERE job_id = %s", job) == [("dead", 0, 3)]


def test_a_disk_that_nobody_knows_is_rejected_at_the_first_try(system):
    system.start()
    job = system.publish("disk.create-snapshot", DISK)
    assert system.event(job)["data"] | {"error": ""} == {
        "reason": "rejected", "code": "unknown-disk", "error": "", "attempts": 1}
    assert system.state(job) == ("dead", 1)


def test_a_disk_in_other_hands_is_rejected_and_the_holder_named(system, cloud):
    holder = str(uuid.uuid4())
    system.add_reservation(holder)
    volume = cloud.create_volume("alice", "home")
    system.add_disk("alice", "home", ebs_volume_id=volume, in_use=True, reservation_id=holder)
    system.start()
    job = system.publish("disk.create-snapshot", DISK | {"reservation_id": str(uuid.uuid4())})
    data = system.event(job)["data"]
    assert data["code"] == "disk-in-use" and holder in data["error"]
    assert cloud.snapshots_of(job) == []
    own = system.publish("disk.create-snapshot", DISK | {"reservation_id": holder})
    assert system.event(own)["type"] == "disk.create-snapshot.completed"


@pytest.mark.parametrize("kind", ["reservation.map-dns", "reservation.create-target-group"])
def test_a_reservation_that_nobody_knows_or_that_is_over_is_rejected(system, cloud, kind):
    payload = {
        "node_ip": "10.0.1.7", "node_port": 30022, "expires_at": "2031-02-03T04:05:06+01:00", "domain_name": "host",
        "pod_name": "gpu-dev-1", "instance_id": cloud.instance, "jupyter_port": 30888}
    over = str(uuid.uuid4())
    system.add_reservation(over, "expired")
    system.start()
    for reservation, code in ((str(uuid.uuid4()), "unknown-reservation"), (over, "reservation-ended")):
        job = system.publish(kind, payload | {"reservation_id": reservation})
        assert system.event(job)["data"]["code"] == code


def test_a_disk_of_that_name_is_in_the_way_unless_the_same_operation_made_it(system):
    system.start()
    operation = str(uuid.uuid4())
    first = system.publish("disk.create", DISK | {"operation_id": operation})
    data = system.event(first)["data"]
    again = system.publish("disk.create", DISK | {"operation_id": operation})
    assert system.event(again)["data"] == data
    other = system.publish("disk.create", DISK)
    assert system.event(other)["data"]["code"] == "disk-exists"
    assert system.value("SELECT count(*) FROM disks") == 1
