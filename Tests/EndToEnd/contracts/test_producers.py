"""What producers may ask for, by which ways their messages come, and how their names stay with their jobs."""

import contextlib
import json
import re
import uuid

import pika
import psycopg
import pytest

from harness.accounts import PASSWORD, broker_rights, login
from harness.broker import management
from harness.repository import ROOT
from harness.waiting import eventually

GUIDE = (ROOT / "docs/producers.md").read_text()
DISK = {"user_id": "alice", "disk_name": "home"}
PAYLOAD = json.dumps(DISK).encode()


def send(system, exchange: str, key: str, **properties) -> str:
    """Publishes a job that touches alice's disk, by any way; returns its id."""
    job = str(uuid.uuid4())
    properties = pika.BasicProperties(**{"message_id": job, "delivery_mode": 2} | properties)
    system.channel.basic_publish(exchange, key, PAYLOAD, properties, mandatory=True)
    return job


def told(system, job: str) -> tuple:
    return system.rows("SELECT requested_by, broker_user FROM job_ledger WHERE job_id = %s", job)[0]


# The kind is what the broker's permissions check

@pytest.mark.parametrize("kind", ["disk.delete", "reservation.sweep", ""])
def test_a_type_that_differs_from_the_routing_key_is_malformed(system, kind):
    system.add_disk("alice", "home")
    system.start()
    job = send(system, f"{system.prefix}.jobs", "disk.create", type=kind)
    event = system.event(job)
    assert event["type"] == "disk.create.failed" and event["data"]["reason"] == "malformed"
    assert system.state(job) is None
    assert not system.value("SELECT is_deleted FROM disks")


@pytest.mark.parametrize("length", [241, 255])
def test_a_kind_that_is_too_long_is_malformed_and_told_of(system, length):
    system.start()
    kind = "disk." + "x" * (length - 5)
    job = send(system, f"{system.prefix}.jobs", kind, type=kind)
    assert system.event(job)["data"]["reason"] == "malformed"
    properties, body = system.letter()
    assert properties.headers["x-original-routing-key"] == kind and body == PAYLOAD


def test_the_longest_kind_is_unknown_like_any_other(system):
    system.start()
    kind = "disk." + "x" * 235
    job = send(system, f"{system.prefix}.jobs", kind, type=kind)
    assert system.event(job)["data"]["reason"] == "unknown-kind"


# Messages that come by the name of a queue

def test_a_message_by_the_name_of_its_queue_is_done(system):
    system.start()
    job = send(system, "", f"{system.prefix}.disks", type="disk.create")
    assert system.event(job)["type"] == "disk.create.completed"


def test_a_message_by_the_name_of_its_queue_waits_and_dies_under_its_kind(system):
    system.start()
    job = send(system, "", f"{system.prefix}.disks", type="disk.polish")
    properties, _ = system.letter()
    assert properties.headers["x-dead-reason"] == "unknown-kind"
    assert properties.headers["x-original-routing-key"] == "disk.polish"
    assert system.value("SELECT snoozes FROM job_ledger WHERE job_id = %s", job) == 3
    eventually("nothing is left in the outbox", lambda: not system.rows("SELECT FROM outbox"))


@pytest.mark.parametrize("kind", [None, "colour.blue"])
def test_a_message_by_the_name_of_its_queue_must_say_what_it_is(system, kind):
    system.start()
    job = send(system, "", f"{system.prefix}.reservations", type=kind)
    properties, body = system.letter("reservations")
    assert (properties.message_id, body) == (job, PAYLOAD)
    assert properties.headers["x-dead-reason"] == "malformed"
    eventually("nothing is left in the outbox", lambda: not system.rows("SELECT FROM outbox"))


@pytest.mark.parametrize("has_type", [True, False])
def test_a_letter_that_is_moved_back_by_other_means_is_a_replay(system, has_type):
    system.start()
    job = send(system, f"{system.prefix}.jobs", "disk.undelete", **{"type": "disk.undelete"} if has_type else {})
    letter, body = system.letter()
    assert system.state(job) == ("dead", 1)
    system.add_disk("alice", "home")
    # As the button of RabbitMQ's management page does it: by the name of the queue, with all that the letter has.
    system.channel.basic_publish("", f"{system.prefix}.disks", body, letter, mandatory=True)
    ended = eventually("it runs again", lambda: len(system.events_of(job)) > 1 and system.events_of(job))[1]
    assert ended["data"].get("code") != "unknown-disk"
    assert system.value("SELECT replays FROM job_ledger WHERE job_id = %s", job) == 1


def test_a_malformed_letter_that_is_moved_back_does_not_become_what_its_producer_may_not_send(system):
    system.add_disk("alice", "home")
    system.start()
    send(system, f"{system.prefix}.jobs", "disk.create", type="disk.delete")
    letter, body = system.letter()
    for count in (1, 2):
        system.channel.basic_publish("", f"{system.prefix}.disks", body, letter, mandatory=True)
        letter, _ = system.letter()
        assert letter.headers["x-dead-reason"] == "malformed" and letter.headers["x-replay-count"] == count
        assert letter.headers["x-original-routing-key"] == "disk.create"
    assert not system.value("SELECT is_deleted FROM disks")


# An account that may send one kind

@pytest.fixture
def producer(system):
    """The connection of a producer that docs/producers.md has limited to disk.create."""
    user = system.prefix
    management(f"users/{user}", "PUT", {"password": PASSWORD, "tags": ""})
    management(f"permissions/%2F/{user}", "PUT", broker_rights(GUIDE, "api", system.prefix))
    exchange, write, read = re.search(
        r"set_topic_permissions --vhost \S+ api (\S+) '(.*?)' '(.*?)'", GUIDE).groups()
    management(f"topic-permissions/%2F/{user}", "PUT", {
        "exchange": exchange.replace("gpudev", system.prefix), "write": write, "read": read})
    connection = pika.BlockingConnection(pika.URLParameters(login(system.environment["AMQP_URL"], user)))
    connection.user = user
    yield connection
    connection.close()
    management(f"users/{user}", "DELETE")


FORGED = {"x-dead-reason": "rejected", "x-original-exchange": "gpudev.jobs", "x-original-routing-key": "disk.delete"}


@pytest.mark.parametrize(("exchange", "key", "properties"), [
    ("{}.jobs", "disk.delete", {"type": "disk.delete"}),
    ("{}.jobs", "disk.delete", {"type": "disk.create"}),
    ("{}.jobs", "disk.create", {"type": "disk.delete"}),
    ("{}.jobs", "disk.create", {"type": "disk.delete", "headers": {"CC": ["disk.delete"]}}),
    ("{}.jobs", "disk.create", {"headers": {"CC": ["disk.delete", "reservation.tear-down"]}}),
    ("{}.jobs", "disk.create", {"headers": {"BCC": ["disk.delete", "reservation.tear-down"]}}),
    ("{}.jobs", "disk.create", {"type": "disk.delete", "headers": FORGED}),
    ("{}.jobs", "disk.create", {"headers": FORGED}),
    ("{}.jobs", "disk.create", {"type": "disk.delete", "user_id": "guest"}),
    ("", "{}.disks", {"type": "disk.delete"}),
    ("", "{}.reservations", {"type": "disk.delete"}),
    ("{}.dead", "disk.delete", {"type": "disk.delete", "headers": FORGED}),
    ("{}.events", "disk.delete.completed", {"type": "disk.delete.completed"}),
    ("amq.topic", "disk.delete", {"type": "disk.delete"}),
])
def test_a_producer_that_is_limited_to_one_kind_sends_no_other_by_any_way(system, producer, exchange, key, properties):
    system.add_disk("alice", "home")
    system.start()
    job = str(uuid.uuid4())
    properties = json.loads(json.dumps(properties).replace("gpudev.jobs", f"{system.prefix}.jobs"))
    channel = producer.channel()
    channel.confirm_delivery()
    with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
        channel.basic_publish(
            exchange.format(system.prefix), key.format(system.prefix), PAYLOAD,
            pika.BasicProperties(message_id=job, **properties))
    # Whatever came of it came before this one of the same queue.
    channel = producer.channel()
    channel.confirm_delivery()
    allowed = str(uuid.uuid4())
    channel.basic_publish(
        f"{system.prefix}.jobs", "disk.create", json.dumps(DISK | {"disk_name": "other"}).encode(),
        pika.BasicProperties(message_id=allowed, type="disk.create", user_id=producer.user))
    assert system.event(allowed)["type"] == "disk.create.completed"
    eventually("the queues are empty", lambda: not any(
        system.depth(queue) for queue in ("disks", "reservations", "capacity")))
    system.replicas[0].stop()
    kinds = {kind for kind, in system.rows("SELECT kind FROM job_ledger")}
    assert kinds == {"disk.create"}
    assert not any(system.rows("SELECT FROM disks WHERE is_deleted"))
    assert not any("delete" in event["type"] for event in system.events())


@pytest.mark.parametrize("attempt", [
    lambda channel, prefix: channel.basic_get(f"{prefix}.disks"),
    lambda channel, prefix: channel.queue_purge(f"{prefix}.disks"),
    lambda channel, prefix: channel.queue_bind(f"{prefix}.disks", f"{prefix}.events", "#"),
    lambda channel, prefix: channel.queue_declare("mine"),
], ids=["read", "purge", "bind", "declare"])
def test_a_producer_can_only_publish(system, producer, attempt):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
        attempt(producer.channel(), system.prefix)


# Who asked

def test_who_asked_stands_in_ledger_event_and_log(system):
    system.start()
    job = system.publish("disk.create", DISK, headers={"x-requested-by": "api\x1b[31m"}, user_id="guest")
    event = system.event(job)
    assert (event["requestedby"], event["brokeruser"]) == ("api\ufffd[31m", "guest")
    assert told(system, job) == ("api\ufffd[31m", "guest")
    shown = json.loads(system.call("jobs", "show", job))
    assert (shown["requested_by"], shown["broker_user"]) == ("api\ufffd[31m", "guest")
    assert json.loads(system.call("jobs", "list", "--json"))[0]["broker_user"] == "guest"

    def line():
        lines = map(json.loads, system.replicas[0].log.read_text().splitlines())
        return [each for each in lines if each.get("job.id") == job and each.get("job.fate") == "succeeded"]

    ended, = eventually("the log tells it", line)
    assert (ended["job.requested_by"], ended["job.broker_user"]) == ("api\ufffd[31m", "guest")


def test_who_asked_outlives_retries_death_and_replay(system):
    system.start()
    job = system.publish("disk.polish", b"{}", headers={"x-requested-by": "api"}, user_id="guest")
    event = system.event(job)
    assert event["data"]["reason"] == "unknown-kind"
    assert (event["requestedby"], event["brokeruser"]) == ("api", "guest")
    assert told(system, job) == ("api", "guest")
    system.call("dead", "replay", "--job", job)
    again = eventually("it dies again", lambda: len(system.events_of(job)) > 1 and system.events_of(job))[1]
    assert (again["requestedby"], again["brokeruser"]) == ("api", "guest")
    letter, _ = system.letter()
    assert letter.headers["x-original-user-id"] == "guest"


def test_who_asked_outlives_the_wait_for_a_disk_in_other_hands(system, cloud):
    volume = cloud.create_volume("alice", "home")
    system.add_disk("alice", "home", ebs_volume_id=volume)
    holder = str(uuid.uuid4())
    system.rows(
        "INSERT INTO job_ledger (job_id, kind, state, exclusive_key, claimed_until, holder)"
        " VALUES (%s, 'disk.delete', 'running', 'disk:alice/home', now() + interval '1 hour', 1)", holder)
    # Somebody who is alive holds what the job needs.
    with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as life:
        life.execute("SELECT pg_advisory_lock(1)")
        system.start()
        job = system.publish("disk.create-snapshot", DISK, headers={"x-requested-by": "api"}, user_id="guest")
        eventually("it waits", lambda: system.rows("SELECT FROM outbox WHERE message_id = %s", job))
        system.rows("UPDATE job_ledger SET state = 'succeeded' WHERE job_id = %s", holder)
        event = system.event(job)
    assert event["type"] == "disk.create-snapshot.completed"
    assert (event["requestedby"], event["brokeruser"]) == ("api", "guest")
    assert told(system, job) == ("api", "guest")


def test_a_header_makes_nobody_an_account(system):
    system.start()
    headers = {"x-broker-user": "admin", "x-original-user-id": "admin", "x-requested-by": ["no", "text"]}
    job = system.publish("disk.undelete", DISK, headers=headers)
    event = system.event(job)
    assert "brokeruser" not in event and "requestedby" not in event
    assert told(system, job) == (None, None)
    letter, _ = system.letter()
    assert "x-original-user-id" not in letter.headers


def test_who_asked_in_sql_is_the_session_s_user(system):
    system.start()
    job = str(system.value("SELECT enqueue_job('disk.create', %s)", json.dumps(DISK)))
    assert system.event(job)["requestedby"] == "sql:postgres"
    assert told(system, job) == ("sql:postgres", None)


# Text from outside

@pytest.mark.parametrize("text", ["\x1b[2J\x1b]0;owned\x07", "a\x00b", "\u202etxt\x9b"])
def test_text_of_a_pod_drives_no_terminal_and_hinders_no_burial(disks, kubernetes, text):
    """The user is root in the container, and chooses what `sh` says there."""
    system = disks.system
    kubernetes.add_node("node-1")
    kubernetes.add_pod("gpu-dev-1", node="node-1", annotations={"gpu-dev-user-id": "alice"})
    system.add_reservation("r-1", pod_name="gpu-dev-1")
    system.add_disk("alice", "home", in_use=True, reservation_id="r-1")
    system.environment |= kubernetes.settings() | {"DISK_CONTENTS_BUCKET": "disk-contents"}
    kubernetes.on_exec([["stderr", text + "evil"], ["exit", 127]])
    system.start()
    job = disks.publish("disk.capture-contents", pod_name="gpu-dev-1")
    event = system.event(job)
    letter, = json.loads(system.call("dead", "list", "--json"))
    shown = json.loads(system.call("jobs", "show", job))
    line = system.call("dead", "list")
    for said in (event["data"]["error"], letter["error"], shown["error"], line):
        assert "evil" in said
        assert not set(said) & {"\x1b", "\x07", "\x00", "\x9b", "\u202e"}


def test_text_of_a_message_drives_no_terminal(system):
    system.start(LOG_FORMAT="text")
    kind = "disk.\x1b[2J\x9b31m\u202eevil"
    job = system.publish(kind, b"{}", headers={"x-requested-by": "\x1b]0;owned\x07", "\x1bname": "\x1bvalue"})
    assert system.event(job)["data"]["reason"] == "unknown-kind"
    outputs = [
        system.call(*command) for command in (
            ("jobs", "list"), ("jobs", "list", "--json"), ("jobs", "show", job), ("dead", "list"),
            ("dead", "list", "--json"), ("dead", "show"))]
    for text in [*outputs, system.replicas[0].log.read_text()]:
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\x7f"}
    assert "evil" in outputs[0] and "evil" in outputs[3]
