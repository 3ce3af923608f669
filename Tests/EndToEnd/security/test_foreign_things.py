"""What a job names of another user's is left alone: the job is refused, and neither rows nor AWS nor the cluster change.

Goes through the table of docs/threat-model.md, so that a new kind or field has a case here or a reason for none.
"""

import dataclasses
import re
import uuid

import boto3
import pytest

from EndToEnd.security.test_threat_model import PAYLOADS, table

FIELDS = table("Fields that name a thing")
EXPIRY = "2031-02-03T04:05:06Z"
WITHOUT_A_THING = {
    "mount_path": "a directory in the user's own pod",
    "content_s3_uri": "stored as a tag and never opened",
    "operation_id": "written on the user's own row only",
    "availability_zone": "a zone belongs to nobody",
    "node_ip": "stored for the platform and never called",
    "node_port": "published as text",
    "jupyter_port": "a port of the pod's own machine; only node ports are taken",
    ("disk.create", "user_id"): "makes a new row of that user",
    ("disk.create", "disk_name"): "makes a new row of that user",
}
"""Why nothing of another's can be named there."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A job for alice that names bob's thing in this field, or for bob with a thing of alice's."""

    kind: str
    field: str
    change: dict
    """What differs from the payload that alice might send; names of things in the scene begin with `$`."""
    code: str | None
    """None if the job ends well and has found nothing to do."""


ALICE = {
    "disk": {"user_id": "alice", "disk_name": "home"},
    "disk.restore": {"user_id": "alice", "disk_name": "spare", "reservation_id": "$mine", "availability_zone": "us-east-2a"},
    "disk.release": {"user_id": "alice", "disk_name": "home", "reservation_id": "$mine"},
    "disk.capture-contents": {"user_id": "alice", "disk_name": "home", "pod_name": "$my_pod"},
    "disk.complete-snapshot": {"user_id": "alice", "disk_name": "home"},
    "disk.rename": {"user_id": "alice", "disk_name": "home", "new_name": "another"},
    "disk.reconcile-volume": {},
    "reservation": {"reservation_id": "$mine"},
    "reservation.tear-down": {"reservation_id": "$mine", "status": "cancelled"},
    "reservation.extend": {"reservation_id": "$mine", "expires_at": EXPIRY},
    "reservation.map-dns": {"reservation_id": "$mine", "node_ip": "10.0.1.7", "node_port": 30022, "expires_at": EXPIRY},
    "reservation.create-target-group": {
        "reservation_id": "$mine", "domain_name": "mine", "pod_name": "$my_pod", "instance_id": "$instance",
        "jupyter_port": 30888, "expires_at": EXPIRY},
}

OF_DISKS = (
    "disk.create-snapshot", "disk.complete-snapshot", "disk.restore", "disk.delete", "disk.undelete", "disk.rename")

CASES = [
    *(Case(kind, "user_id", {"user_id": "carol"}, "unknown-disk") for kind in OF_DISKS),
    *(Case(kind, "disk_name", {"disk_name": "training"}, "unknown-disk") for kind in OF_DISKS),
    Case("disk.prune-snapshots", "user_id", {"user_id": "carol"}, None),
    Case("disk.prune-snapshots", "disk_name", {"disk_name": "training"}, None),
    Case("disk.restore", "user_id", {"user_id": "bob"}, "foreign-reservation"),
    Case("disk.restore", "reservation_id", {"reservation_id": "$theirs"}, "foreign-reservation"),
    Case("disk.restore", "reservation_id", {"reservation_id": "$none"}, "unknown-reservation"),
    Case("disk.release", "user_id", {"user_id": "carol"}, None),
    Case("disk.release", "disk_name", {"disk_name": "training"}, None),
    Case("disk.release", "reservation_id", {"reservation_id": "$theirs"}, None),
    Case("disk.create-snapshot", "volume_id", {"reservation_id": "$mine", "volume_id": "$their_volume"}, "foreign-volume"),
    Case("disk.create-snapshot", "volume_id", {"reservation_id": "$mine", "volume_id": "$nobodys_volume"}, "foreign-volume"),
    Case("disk.create-snapshot", "reservation_id", {"reservation_id": "$theirs"}, "disk-in-use"),
    Case("disk.complete-snapshot", "snapshot_id", {"snapshot_id": "$their_snapshot"}, "foreign-snapshot"),
    Case("disk.capture-contents", "user_id", {"user_id": "bob", "disk_name": "training"}, "foreign-pod"),
    Case("disk.capture-contents", "disk_name", {"disk_name": "spare"}, "foreign-pod"),
    Case("disk.capture-contents", "pod_name", {"pod_name": "$their_pod"}, "foreign-pod"),
    Case("disk.capture-contents", "snapshot_id", {"snapshot_id": "$their_snapshot"}, "foreign-snapshot"),
    Case("disk.reconcile-volume", "volume_id", {"volume_id": "$nobodys_volume"}, None),
    Case("reservation.tear-down", "user_id", {"user_id": "alice", "reservation_id": "$theirs"}, "foreign-reservation"),
    Case("reservation.tear-down", "reservation_id", {"reservation_id": "$none"}, "unknown-reservation"),
    Case("reservation.extend", "user_id", {"user_id": "alice", "reservation_id": "$theirs"}, "foreign-reservation"),
    Case("reservation.extend", "reservation_id", {"reservation_id": "$none"}, "unknown-reservation"),
    Case("reservation.map-dns", "reservation_id", {"reservation_id": "$none"}, "unknown-reservation"),
    Case("reservation.unmap-dns", "reservation_id", {"reservation_id": "$none"}, None),
    Case("reservation.delete-target-group", "reservation_id", {}, None),
    Case("reservation.create-target-group", "reservation_id", {"reservation_id": "$theirs"}, "foreign-pod"),
    Case("reservation.create-target-group", "reservation_id", {"reservation_id": "$none"}, "unknown-reservation"),
    Case("reservation.create-target-group", "pod_name", {"pod_name": "$their_pod"}, "foreign-pod"),
    Case("reservation.create-target-group", "instance_id", {"instance_id": "i-0fedcba9876543210"}, "foreign-instance"),
    Case("reservation.create-target-group", "domain_name", {"domain_name": "theirs"}, "foreign-host-name"),
    Case("reservation.create-target-group", "domain_name", {"domain_name": "admin"}, "reserved-host-name"),
]
SECOND_COMERS = {("reservation.map-dns", "preferred_name"): "whoever comes second gets another name"}


def test_every_field_that_names_a_thing_has_a_case_or_a_reason():
    named = {(kind, field) for kind, payload in PAYLOADS.items() for field in payload.get("properties", {}) if field in FIELDS}
    covered = {(case.kind, case.field) for case in CASES} | set(SECOND_COMERS)
    excused = {pair for pair in named if pair in WITHOUT_A_THING or pair[1] in WITHOUT_A_THING}
    assert covered | excused == named and not covered & excused


@pytest.mark.parametrize("field", FIELDS)
def test_every_code_of_refusal_in_the_table_has_a_case(field):
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", FIELDS[field][-1])) - {"gpu-dev-user"}
    assert told <= {case.code for case in CASES if case.field == field}


@pytest.fixture
def scene(disks, cloud, kubernetes):
    """Alice and bob, each with a disk in use, a reservation and a pod; bob has a host name and a route as well."""
    system = disks.system
    disks.system.environment |= kubernetes.settings() | {"DISK_CONTENTS_BUCKET": "disk-contents"}
    boto3.client("s3").create_bucket(
        Bucket="disk-contents", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    kubernetes.add_node("node-1", instance=cloud.instance)
    kubernetes.on_exec([["stdout", "1G\t/home/dev\n---\n/home/dev\n"], ["exit", 0]])
    things = {"none": str(uuid.uuid4()), "instance": cloud.instance}
    for user, whose, disk in (("alice", "mine", "home"), ("bob", "theirs", "training")):
        things[whose] = reservation = str(uuid.uuid4())
        pod = f"gpu-dev-{reservation[:8]}"
        system.add_reservation(reservation, user_id=user, expires_at=EXPIRY, pod_name=pod)
        kubernetes.add_pod(pod, node="node-1", annotations={"gpu-dev-user-id": user})
        volume = disks.held(reservation, disk, user)
        system.add_disk(user, "spare")
        prefix = {"mine": "my", "theirs": "their"}[whose]
        things |= {f"{prefix}_pod": pod, f"{prefix}_volume": volume, f"{prefix}_snapshot": disks.snapshot(disk, user)}
        # The snapshot is older than what the session works on.
        disks.ec2.create_tags(Resources=[volume], Tags=[{"Key": "gpu-dev-newest", "Value": "2031-01-01T00:00:00Z"}])
    things["nobodys_volume"] = disks.ec2.create_volume(AvailabilityZone="us-east-2a", Size=1)["VolumeId"]
    system.start()
    for kind, more in (
            ("reservation.map-dns", {"preferred_name": "theirs", "node_ip": "10.0.1.8", "node_port": 30023}),
            ("reservation.create-target-group", {
                "domain_name": "theirs", "pod_name": things["their_pod"], "instance_id": cloud.instance, "jupyter_port": 30889})):
        told = system.event(system.publish(kind, {"reservation_id": things["theirs"], "expires_at": EXPIRY} | more))
        assert told["type"] == f"{kind}.completed", told
    # A group under the name that alice's would have, and of bob's by its tag.
    boto3.client("elbv2").create_target_group(
        Name=f"jupyter-{things['mine'][:8]}", Protocol="HTTP", Port=30888, VpcId=cloud.vpc,
        Tags=[{"Key": "ReservationId", "Value": things["theirs"]}])
    return things


def everything(disks, cloud, kubernetes) -> dict:
    """All that there is, but for what the ledger says."""
    balancing = boto3.client("elbv2")
    tables = ("disks", "reservations", "domain_mappings", "alb_target_groups", "snapshot_deletions")
    records = boto3.client("route53").list_resource_record_sets(HostedZoneId=cloud.zone)["ResourceRecordSets"]
    return {
        **{name: sorted(map(str, disks.system.rows(f"SELECT * FROM {name}"))) for name in tables},
        "volumes": disks.ec2.describe_volumes()["Volumes"],
        "snapshots": disks.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
        "groups": balancing.describe_target_groups()["TargetGroups"], "targets": cloud.targets(),
        "rules": balancing.describe_rules(ListenerArn=cloud.listener)["Rules"], "records": records,
        "objects": boto3.client("s3").list_objects_v2(Bucket="disk-contents").get("Contents", []),
        "pods": kubernetes.names("pods"), "removed": list(kubernetes.removed), "executed": list(kubernetes.executed)}


def test_a_job_that_names_what_is_anothers_changes_nothing(disks, cloud, kubernetes, scene):
    system = disks.system
    before = everything(disks, cloud, kubernetes)
    wrongs = []
    for case in CASES:
        usual = ALICE.get(case.kind, ALICE[case.kind.partition(".")[0]])
        payload = {
            field: scene[value[1:]] if str(value).startswith("$") else value for field, value in (usual | case.change).items()}
        event = system.event(system.publish(case.kind, payload))
        told, after = event["data"], everything(disks, cloud, kubernetes)
        ends = (told.get("code"), told.get("reason"), told.get("released", False))
        if ends != (case.code, case.code and "rejected", False) or after != before:
            wrongs.append((case, ends, {name: (before[name], after[name]) for name in before if before[name] != after[name]}))
        before = after
    assert not wrongs, "\n".join(map(str, wrongs))


def test_whoever_wants_a_host_name_that_is_taken_gets_another(disks, cloud, kubernetes, scene):
    before = cloud.records_of("theirs")
    told = disks.system.event(disks.system.publish("reservation.map-dns", {
        "reservation_id": scene["mine"], "preferred_name": "theirs", "node_ip": "10.0.1.7", "node_port": 30022,
        "expires_at": EXPIRY}))["data"]
    assert told["domain_name"] != "theirs" and cloud.records_of("theirs") == before
    assert disks.system.rows("SELECT reservation_id FROM domain_mappings WHERE domain_name = 'theirs'") == [(scene["theirs"],)]
