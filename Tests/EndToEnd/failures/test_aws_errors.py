"""What AWS does on an ordinary bad day, and how the worker lives with it."""

import json

import boto3
import pytest

from EndToEnd.jobs.test_each_kind import create_target_group, disk_of_ended_reservation, map_dns, new_reservation
from harness import invariants
from harness.repository import ROOT
from harness.waiting import eventually

DISK = {"user_id": "alice", "disk_name": "home"}


@pytest.fixture
def volume(on_aws, cloud):
    """The volume of alice's disk `home`."""
    volume = cloud.create_volume("alice", "home")
    on_aws.add_disk("alice", "home", ebs_volume_id=volume)
    return volume


def hurry(system) -> None:
    """Lets what waits in the outbox go now."""
    system.rows("UPDATE outbox SET available_at = now()")


def snapshots_of(volume: str) -> list[str]:
    filters = [{"Name": "volume-id", "Values": [volume]}]
    return [each["SnapshotId"] for each in boto3.client("ec2").describe_snapshots(Filters=filters)["Snapshots"]]


# Things that take their time


@pytest.mark.parametrize("state", ["completed", "error"])
def test_a_snapshot_that_is_pending_is_waited_for_by_the_next_job(on_aws, aws, cloud, state):
    volume = disk_of_ended_reservation(on_aws, cloud)
    aws.snapshots.hold()
    on_aws.start()
    first = on_aws.event(on_aws.publish("disk.create-snapshot", DISK))["data"]
    assert first["created"] is True and snapshots_of(volume) == [first["snapshot_id"]] == aws.snapshots.pending
    job = on_aws.publish("disk.create-snapshot", DISK)
    eventually("the second waits", lambda: on_aws.state(job) == ("waiting", 0))
    aws.snapshots.finish(first["snapshot_id"], state)
    hurry(on_aws)
    second = on_aws.event(job)["data"]
    assert second["created"] is True and set(snapshots_of(volume)) == {first["snapshot_id"], second["snapshot_id"]}


def test_a_list_that_comes_in_many_pages_and_some_empty_ones_is_read_whole(on_aws, aws, cloud, volume):
    ec2 = boto3.client("ec2")
    tags = [{"Key": "gpu-dev-user", "Value": "alice"}, {"Key": "disk_name", "Value": "home"}]
    for _ in range(5):
        ec2.create_snapshot(VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}])
    aws.pages.hold_at_most(2)
    aws.pages.begin_empty(2)
    on_aws.start()
    on_aws.event(on_aws.publish("disk.create-snapshot", DISK))
    assert on_aws.value("SELECT snapshot_count FROM disks") == 6
    other = cloud.create_volume("alice", "home")
    twin = on_aws.event(on_aws.publish("disk.reconcile-volume", {"volume_id": other}))
    assert twin["data"]["outcome"] == "conflict"


# Answers that do not come, or come to nothing


@pytest.mark.parametrize("action", ["DescribeVolumes", "DescribeSnapshots", "CreateSnapshot"])
def test_throttling_costs_no_attempt(on_aws, aws, cloud, volume, action):
    aws.throttle(action, times=2)
    on_aws.start()
    job = on_aws.publish("disk.create-snapshot", DISK)
    invariants.check(on_aws, [job])
    assert on_aws.state(job) == ("succeeded", 1)
    assert aws.count(action) >= 3 and cloud.snapshots_of(job) == [volume]


def test_half_a_document_is_no_document(on_aws, aws, cloud, volume):
    aws.truncate("DescribeVolumes")
    aws.truncate("DescribeSnapshots")
    on_aws.start()
    job = on_aws.publish("disk.create-snapshot", DISK)
    invariants.check(on_aws, [job])
    assert on_aws.state(job) == ("succeeded", 1)
    assert cloud.snapshots_of(job) == [volume]


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "truncate"])
def test_a_snapshot_whose_answer_was_lost_is_looked_for_and_not_taken_twice(on_aws, aws, cloud, volume, fault):
    getattr(aws, fault)("CreateSnapshot")
    on_aws.start()
    job = on_aws.publish("disk.create-snapshot", DISK)
    eventually("the job waits", lambda: (on_aws.state(job) or ("", 0))[0] == "waiting")
    assert aws.count("CreateSnapshot") == 1
    hurry(on_aws)
    invariants.check(on_aws, [job])
    assert cloud.snapshots_of(job) == [volume]


def test_a_change_that_another_one_is_in_the_way_of_waits(on_aws, aws, cloud):
    aws.records.be_busy(times=3)
    on_aws.start()
    payload = map_dns(new_reservation(on_aws), preferred_name="otter")
    event = on_aws.event(on_aws.publish("reservation.map-dns", payload))
    assert event["data"]["domain_name"] == "otter"
    assert set(cloud.records_of("otter")) == {"CNAME", "TXT"}
    assert on_aws.value("SELECT max(attempts) FROM job_ledger") == 1


def test_many_names_at_once_are_made_within_what_route_53_allows(on_aws, aws, cloud):
    aws.limit("route53", per_second=5)
    aws.hesitate("ChangeResourceRecordSets", seconds=1)
    on_aws.start(AWS_RATE_FACTOR="1")
    jobs = [
        on_aws.publish("reservation.map-dns", map_dns(new_reservation(on_aws), preferred_name=f"otter{number}"))
        for number in range(12)]
    invariants.check(on_aws, jobs)
    assert all(set(cloud.records_of(f"otter{number}")) == {"CNAME", "TXT"} for number in range(12))
    assert on_aws.value("SELECT max(attempts) FROM job_ledger") == 1
    assert len(aws.records.batches) < 12


def test_many_look_ups_at_once_share_calls_and_an_unknown_volume_spoils_none(on_aws, aws, cloud):
    volumes = [cloud.create_volume("alice", f"d{number}") for number in range(30)]
    aws.hesitate("DescribeVolumes", seconds=0.3, times=1000)
    asked = [*volumes, "vol-0123456789abcdef0"]
    jobs = [on_aws.publish("disk.reconcile-volume", {"volume_id": volume}) for volume in asked]
    on_aws.start()
    invariants.check(on_aws, jobs)
    outcomes = {event["data"]["volume_id"]: event["data"]["outcome"] for event in on_aws.events()}
    assert outcomes == dict.fromkeys(volumes, "created") | {"vol-0123456789abcdef0": "ignored"}
    look_ups = [call.values("VolumeId") for call in aws.calls if call.action == "DescribeVolumes"]
    look_ups = [ids for ids in look_ups if ids]
    assert len(look_ups) < 20 and {volume for ids in look_ups for volume in ids} >= set(volumes)


# Clocks and keys


@pytest.mark.parametrize("code", [None, "AuthFailure", "RequestInTheFuture"])
@pytest.mark.parametrize("minutes", [20, -20])
def test_a_clock_that_is_wrong_and_then_right_again_costs_no_attempt(on_aws, aws, cloud, volume, minutes, code):
    on_aws.start()
    jobs = []
    for ahead in (0, minutes, 0):
        aws.clock.run_ahead(ahead, code)
        jobs.append(on_aws.publish("disk.create-snapshot", DISK))
        on_aws.event(jobs[-1])
    names = on_aws.publish("reservation.map-dns", map_dns(new_reservation(on_aws)))
    invariants.check(on_aws, [*jobs, names])
    assert on_aws.value("SELECT max(attempts) FROM job_ledger") == 1
    assert [cloud.snapshots_of(job) for job in jobs] == [[volume]] * 3


@pytest.fixture
def token(on_aws, aws, tmp_path):
    """The file from which the worker has its identity, as kubelet would mount it."""
    file = tmp_path / "token"
    file.write_text("first")
    aws.keys.trust("first")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del on_aws.environment[name]
    on_aws.environment |= {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/worker",
        "AWS_EC2_METADATA_DISABLED": "true"}
    return file


def test_keys_that_end_in_the_middle_of_a_job_are_renewed_in_it(on_aws, aws, cloud, volume, token):
    aws.before("CreateSnapshot", lambda number: aws.keys.expire() if number == 1 else None)
    on_aws.start()
    job = on_aws.publish("disk.create-snapshot", DISK)
    invariants.check(on_aws, [job])
    assert on_aws.state(job) == ("succeeded", 1)
    assert aws.count("CreateSnapshot") == 2 and cloud.snapshots_of(job) == [volume]
    assert len(aws.keys.issued) == 2


def test_a_token_that_has_been_replaced_is_read_anew(on_aws, aws, cloud, volume, token):
    on_aws.start()
    jobs = [on_aws.publish("disk.create-snapshot", DISK)]
    on_aws.event(jobs[0])
    token.write_text("second")
    aws.keys.trust("second")
    aws.keys.expire()
    jobs.append(on_aws.publish("disk.create-snapshot", DISK))
    invariants.check(on_aws, jobs)
    assert on_aws.value("SELECT max(attempts) FROM job_ledger") == 1
    assert [call.parameters["WebIdentityToken"] for call in aws.calls if call.service == "sts"] == ["first", "second"]


def test_a_token_that_is_replaced_late_delays_the_job_and_does_not_kill_it(on_aws, aws, cloud, volume, token):
    aws.keys.trust("second")
    on_aws.start()
    job = on_aws.publish("disk.create-snapshot", DISK)
    (code, error), = eventually(
        "it has been tried twice", lambda: on_aws.rows("SELECT code, error FROM job_attempts WHERE attempt = 2"))
    assert code == "credentials" and "ExpiredTokenException" in error and "WebIdentityToken" not in error
    token.write_text("second")
    invariants.check(on_aws, [job])
    assert cloud.snapshots_of(job) == [volume]


def test_keys_that_last_for_seconds_only_are_renewed_as_they_end(on_aws, aws, cloud, volume, token):
    aws.keys.last(seconds=2)
    on_aws.start()
    jobs = []
    for _ in range(4):
        jobs.append(on_aws.publish("disk.reconcile-volume", {"volume_id": volume}))
        on_aws.event(jobs[-1])
        aws.keys.expire()
    invariants.check(on_aws, jobs)
    assert on_aws.value("SELECT max(attempts) FROM job_ledger") == 1


# Permissions


@pytest.mark.parametrize(("missing", "code"), [
    ("ec2:DescribeVolumes", "UnauthorizedOperation"), ("ec2:CreateSnapshot", "UnauthorizedOperation"),
    ("ec2:CreateTags", "UnauthorizedOperation"),
])
def test_a_permission_of_disks_that_is_missing_is_named(on_aws, aws, volume, missing, code):
    aws.permissions.forbid(missing)
    on_aws.start()
    job = on_aws.publish("disk.create-snapshot", DISK)
    data = on_aws.event(job)["data"]
    assert (data["reason"], data["code"], data["attempts"]) == ("rejected", code, 1)
    assert missing in data["error"] and "Encoded" not in data["error"]
    properties, _ = on_aws.letter()
    assert properties.headers["x-dead-code"] == code and missing in properties.headers["x-dead-error"]
    assert snapshots_of(volume) == []
    aws.permissions.allow(missing)
    on_aws.event(on_aws.publish("disk.create-snapshot", DISK))
    assert len(snapshots_of(volume)) == 1


@pytest.mark.parametrize(("kind", "missing"), [
    ("reservation.map-dns", "route53:ListResourceRecordSets"),
    ("reservation.map-dns", "route53:ChangeResourceRecordSets"),
    ("reservation.create-target-group", "elasticloadbalancing:CreateTargetGroup"),
    ("reservation.create-target-group", "elasticloadbalancing:AddTags"),
    ("reservation.create-target-group", "elasticloadbalancing:RegisterTargets"),
    ("reservation.create-target-group", "elasticloadbalancing:CreateRule"),
])
def test_a_permission_of_reservations_that_is_missing_is_named(on_aws, aws, cloud, kind, missing):
    aws.permissions.forbid(missing)
    on_aws.start()
    reservation = new_reservation(on_aws)
    payload = map_dns(reservation) if kind.endswith("dns") else create_target_group(reservation, cloud)
    data = on_aws.event(on_aws.publish(kind, payload))["data"]
    assert (data["reason"], data["code"]) == ("rejected", "AccessDenied") and missing in data["error"]


def test_the_documented_policy_is_enough(on_aws, aws, cloud, volume):
    aws.permissions.grant_only(json.loads((ROOT / "docs/iam-policy.json").read_text()))
    on_aws.start()
    reservation = new_reservation(on_aws)
    jobs = [
        on_aws.publish("disk.create-snapshot", DISK),
        on_aws.publish("disk.reconcile-volume", {"volume_id": volume}),
        on_aws.publish("reservation.map-dns", map_dns(reservation, preferred_name="alice-training")),
        on_aws.publish("reservation.create-target-group", create_target_group(reservation, cloud))]
    invariants.check(on_aws, jobs)


# What the server behind the tests takes and AWS does not


def test_a_target_that_does_not_run_is_a_rejection(on_aws, cloud):
    on_aws.start()
    payload = create_target_group(new_reservation(on_aws), cloud) | {"instance_id": "i-0123456789abcdef0"}
    data = on_aws.event(on_aws.publish("reservation.create-target-group", payload))["data"]
    assert (data["reason"], data["code"]) == ("rejected", "InvalidTarget")
