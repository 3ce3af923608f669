"""Messages that come many times, in the wrong order, or with a payload that nobody can use."""

import contextlib
import json
import threading
import time

import boto3
import pika
import pytest

from harness.machine import scaled
from harness.waiting import eventually


@pytest.mark.experiment(14, "The same message ten times at once to ten replicas")
def test_one_message_many_times(experiment, proxy):
    """Ten producers send each job in the same moment; AWS is asked once for each thing that it makes."""
    experiment.environment["AWS_ENDPOINT_URL"] = proxy.url
    experiment.start(experiment.size(4, 10))
    jobs = experiment.load.draw(experiment.size(200, 400))
    repeated = [job for job in jobs if job.kind != "disk.create"] + experiment.load.draw(10, {"disk.create": 1})
    submit_at_once(experiment, repeated, copies=10)
    experiment.submit([job for job in jobs if job not in repeated])
    experiment.recover(15)
    experiment.verdict()
    succeeded = [job.kind for job in experiment.load.jobs.values() if not job.death]
    for action, kind in {
            "CreateSnapshot": "disk.create-snapshot", "CreateTargetGroup": "reservation.create-target-group",
            "CreateRule": "reservation.create-target-group"}.items():
        assert proxy.count(action) == succeeded.count(kind), action
    # Host names that one replica makes in the same moment go together.
    changes = proxy.count(f"/2013-04-01/hostedzone/{experiment.cloud.zone}/rrset/")
    assert changes <= succeeded.count("reservation.map-dns")
    assert experiment.count("job_ledger WHERE attempts <> 1") == 0


def submit_at_once(experiment, jobs: list, copies: int) -> None:
    """Publishes every job by so many producers, each with a connection of its own, in step."""
    step = threading.Barrier(copies)

    def produce() -> None:
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(experiment.environment["AMQP_URL"]))) as broker:
            channel = broker.channel()
            channel.confirm_delivery()
            for job in jobs:
                properties = pika.BasicProperties(
                    message_id=job.id, type=job.kind, content_type="application/json", delivery_mode=2,
                    headers=job.headers)
                step.wait(scaled(30))
                channel.basic_publish(f"{experiment.prefix}.jobs", job.kind, job.body, properties, mandatory=True)

    producers = [threading.Thread(target=produce) for _ in range(copies)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    experiment.attempted |= {job.id for job in jobs}
    experiment.acknowledged |= {job.id for job in jobs}


@pytest.mark.experiment(15, "Jobs in the wrong order")
def test_before_the_disk_is_created(experiment):
    """What comes too early is rejected, or finds the truth by itself; replayed in its time it succeeds."""
    experiment.start(2)
    names = [f"early{number}" for number in range(experiment.size(30, 100))]
    volumes = {name: experiment.cloud.create_volume("carol", name) for name in names[::2]}
    disks = {name: {"user_id": "carol", "disk_name": name} for name in names}
    snapshots = [experiment.load.add("disk.create-snapshot", disks[name], death="rejected") for name in names[1::2]]
    reconciled = [experiment.load.add("disk.reconcile-volume", {"volume_id": volumes[name]}) for name in names[::2]]
    # The row that is there already, made after the volume's tags, is in the way of the creation.
    refused = [experiment.load.add("disk.create", disks[name], death="rejected") for name in names[::2]]
    created = [experiment.load.add("disk.create", disks[name]) for name in names[1::2]]
    load = experiment.load.draw(200)
    for early, late in ((snapshots, created), (reconciled, refused)):
        experiment.submit(mixed(experiment, early, load[:70]))
        ended(experiment, early)
        experiment.submit(mixed(experiment, late, load[70:140]))
        ended(experiment, late)
    experiment.submit(load[140:])
    for job in reconciled:
        assert experiment.feed.bodies[f"{job.id}.completed"]["data"]["outcome"] == "created"
    for name in names[1::2]:
        volume = experiment.cloud.create_volume("carol", name)
        experiment.rows("UPDATE disks SET ebs_volume_id = %s WHERE user_id = 'carol' AND disk_name = %s", volume, name)
    for job in snapshots:
        assert experiment.feed.bodies[f"{job.id}.failed.1"]["data"]["code"] == "unknown-disk"
        experiment.load.change(job, death=None)
    for job in refused:
        assert experiment.feed.bodies[f"{job.id}.failed.1"]["data"]["code"] == "disk-exists"
    eventually("the letters lie there", lambda: experiment.depth("disks.dead") >= len(snapshots) + len(refused))
    experiment.call("dead", "replay", "--kind", "disk.create-snapshot")
    ended(experiment, snapshots, ".completed")
    for job in load:
        if job.death and job.kind == "disk.create-snapshot":
            eventually("it died again", lambda: f"{job.id}.failed.2" in experiment.feed.bodies)  # noqa: B023
    experiment.recover()
    experiment.verdict()


def mixed(experiment, *parts: list) -> list:
    """All parts together, in an order that the seed decides."""
    jobs = [job for part in parts for job in part]
    experiment.random.shuffle(jobs)
    return jobs


def ended(experiment, jobs: list, ending: str = "") -> None:
    wanted = {job.id for job in jobs}
    eventually("these jobs have ended", lambda: wanted <= {
        event["jobid"] for event in experiment.events() if event["type"].endswith(ending)}, 60)


@pytest.mark.experiment(15, "Jobs in the wrong order")
def test_a_stale_reconciliation(experiment, proxy):
    """Volumes come and go while answers about them are held up: every row ends as AWS says, not as AWS once said."""
    experiment.environment["AWS_ENDPOINT_URL"] = proxy.url
    proxy.after("DescribeVolumes", lambda: time.sleep(experiment.random.uniform(0, 0.4)))
    experiment.start(2)
    ec2, volumes = boto3.client("ec2"), experiment.load.volumes[:12]
    attached = dict.fromkeys(volumes, False)
    with experiment.flooding(200, per_second=50):
        for _ in range(experiment.size(60, 200)):
            volume = experiment.random.choice(volumes)
            if attached[volume]:
                ec2.detach_volume(VolumeId=volume, InstanceId=experiment.cloud.instance)
            else:
                ec2.attach_volume(VolumeId=volume, InstanceId=experiment.cloud.instance, Device=f"/dev/sd{volume[-4:]}")
            attached[volume] = not attached[volume]
            experiment.submit([experiment.load.add("disk.reconcile-volume", {"volume_id": volume})])
    experiment.recover(15)
    experiment.verdict()
    rows = dict(experiment.rows("SELECT ebs_volume_id, in_use FROM disks WHERE ebs_volume_id = ANY(%s)", volumes))
    assert rows == attached


def nested(depth: int) -> bytes:
    return b'{"user_id":"bob","disk_name":"deep","list":' + b"[" * depth + b"]" * depth + b"}"


def disk(fields: bytes) -> tuple[str, bytes]:
    return "disk.create", b'{"user_id":"bob","disk_name":"poisoned",' + fields + b"}"


POISON = {
    "malformed": [
        ("disk.create", b""), ("disk.create", b"<disk/>"), ("disk.create-snapshot", b'{"user_id": "bob"'),
        ("disk.reconcile-volume", b"{'volume_id': 1}"), disk(b'"size_gb":NaN'), disk(b'"size_gb":-Infinity'),
        disk(b'"colour":"\xc3\x28"'), disk(b'"colour":"\xed\xa0\x80"'), disk(b'"colour":"\x00"'),
        disk(b'"colour":"\\u0000"'), ("disk.create", nested(10_000)), ("reservation.map-dns", b"\xff\xfe{\x00}\x00"),
    ],
    "invalid-payload": [
        ("disk.create", b"[]"), ("disk.create", b"7"), ("disk.create-snapshot", b'"text"'), ("disk.create", b"{}"),
        ("disk.create", b'{"user_id": "bob"}'), ("disk.create", b'{"user_id": 7, "disk_name": ["x"]}'),
        ("disk.reconcile-volume", b'{"volume_id": {"id": "vol-1"}}'), disk(b'"size_gb":99999999999999999999'),
        disk(b'"size_gb":-9223372036854775809'), disk(b'"size_gb":2147483648'), disk(b'"size_gb":1.5'),
        disk(b'"size_gb":"10"'), ("reservation.map-dns", b'{"reservation_id": "r", "node_port": 65536}'),
        ("reservation.create-target-group", b'{"reservation_id": null}'),
    ],
    "unknown-kind": [("disk.polish", b"{}"), ("reservation.applaud", b'{"by": "1h"}')],
}


@pytest.mark.experiment(16, "Poison among good jobs: bodies, headers and kinds of every wrong sort")
def test_poison_payloads(experiment):
    """Each letter keeps its bytes and headers, and the good jobs between do not notice."""
    experiment.start(2)
    bad = [
        experiment.load.add(kind, body, death=reason)
        for reason, cases in POISON.items() for kind, body in cases for _ in range(experiment.size(2, 10))]
    wide = {"x-requested-by": "experiment"} | {f"x-trace-{number}": "h" * 1000 for number in range(64)}
    large = b'{"user_id": "' + b"x" * ((16 << 20) - 15) + b'"}'
    assert len(large) == 16 << 20
    bad += [
        experiment.load.add("disk.create", b'{"user_id": ', death="malformed", headers=wide),
        experiment.load.add("disk.create", b"{}", death="invalid-payload", headers=wide),
        experiment.load.add("disk.create", large, death="malformed"),
    ]
    good = experiment.load.draw(200) + [
        experiment.load.add("disk.create", later_version(f"later{number}"), headers=wide if number % 4 == 0 else {
            "x-requested-by": "experiment"}) for number in range(20)]
    experiment.submit(mixed(experiment, bad, good))
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_ledger WHERE state = 'succeeded' AND (attempts <> 1 OR snoozes > 0)") == 0
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


def later_version(name: str) -> bytes:
    """A payload with fields that only a later version knows, with a number that no machine word holds."""
    later = {"labels": {"team": ["x", None, True]}, "serial": 10**30, "ratio": 1e300}
    return json.dumps({"user_id": "bob", "disk_name": name} | later).encode()
