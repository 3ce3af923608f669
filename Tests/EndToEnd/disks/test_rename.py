"""disk.rename: volume, snapshots and row have the new name in the end, or all have the old one; nothing is handed out between."""

import random
import signal
import uuid

import pytest

KIND = "disk.rename"


def rename(disks, new: str = "training", disk: str = "home", **more) -> str:
    return disks.publish(KIND, disk, new_name=new, **more)


def names(disks) -> dict[str, set[str]]:
    """The names that row, volumes and snapshots of alice's have."""
    filters = [{"Name": "tag:gpu-dev-user", "Values": ["alice"]}]
    volumes = disks.ec2.describe_volumes(Filters=filters)["Volumes"]
    snapshots = disks.ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]

    def of(things: list[dict]) -> set[str]:
        tags = [{tag["Key"]: tag["Value"] for tag in thing["Tags"]} for thing in things]
        return {found[key] for found in tags for key in ("disk_name", "disk-name") if key in found}

    rows = {name for name, in disks.system.rows("SELECT disk_name FROM disks WHERE user_id = 'alice'")}
    return {"rows": rows, "volumes": of(volumes), "snapshots": of(snapshots)}


def test_row_volume_and_all_snapshots_have_the_new_name(disks):
    operation = str(uuid.uuid4())
    older = disks.snapshot()
    disks.snapshot(disk_name=None, disk__name="home", gpu__dev__quarantine__backup="true")
    newest = disks.snapshot(disk__name="home")
    volume = disks.volume()
    theirs = disks.snapshot(user="bob")
    disks.system.add_disk("alice", "home", ebs_volume_id=volume, snapshot_count=2)
    disks.system.add_disk("bob", "home")
    disks.system.start()
    data = disks.outcome(rename(disks, operation_id=operation))
    assert data == {"user_id": "alice", "disk_name": "home", "new_name": "training", "volumes": 1, "snapshots": 3}
    assert names(disks) == {"rows": {"training"}, "volumes": {"training"}, "snapshots": {"training"}}
    assert disks.row("ebs_volume_id, snapshot_count, operation_id::text, operation_status", "training") == (
        volume, 2, operation, "completed")
    assert disks.tags(theirs)["disk_name"] == "home"
    assert disks.system.rows("SELECT disk_name FROM disks WHERE user_id = 'bob'") == [("home",)]
    assert [snapshot["SnapshotId"] for snapshot in disks.snapshots("training")] == [older, newest]


def test_the_next_reservation_gets_the_data_under_the_new_name(disks):
    disks.snapshot()
    newest = disks.snapshot()
    disks.system.add_disk("alice", "home", snapshot_count=2)
    disks.system.start()
    disks.outcome(rename(disks))
    reservation = disks.reserve()
    data = disks.outcome(disks.publish(
        "disk.restore", "training", reservation_id=reservation, availability_zone="us-east-2a"))
    assert (data["snapshot_id"], data["is_new"]) == (newest, False)


def test_the_same_name_is_no_change_and_there_and_back_is_none_either(disks):
    disks.snapshot()
    disks.system.add_disk("alice", "home")
    disks.system.start()
    assert disks.outcome(rename(disks, "home"))["snapshots"] == 0
    assert disks.outcome(rename(disks, "training"))["snapshots"] == 1
    assert disks.outcome(rename(disks, "home", "training"))["snapshots"] == 1
    assert names(disks) == {"rows": {"home"}, "volumes": set(), "snapshots": {"home"}}


@pytest.mark.parametrize(("columns", "code"), [
    ({"in_use": True}, "disk-in-use"),
    ({"is_backing_up": True}, "disk-backing-up"),
    ({"is_deleted": True}, "disk-deleted"),
    ({"ebs_volume_id": "attached"}, "disk-in-use"),
    ({"ebs_volume_id": "of bob"}, "foreign-volume"),
])
def test_a_disk_that_is_not_at_rest_or_not_the_users_is_refused(disks, cloud, columns, code):
    operation = str(uuid.uuid4())
    if columns.get("ebs_volume_id") == "attached":
        volume = disks.volume()
        disks.ec2.attach_volume(VolumeId=volume, InstanceId=cloud.instance, Device="/dev/xvdf")
        columns = {"ebs_volume_id": volume}
    elif columns.get("ebs_volume_id"):
        columns = {"ebs_volume_id": disks.volume(user="bob")}
    disks.snapshot()
    disks.system.add_disk("alice", "home", **columns)
    disks.system.start()
    data = disks.outcome(rename(disks, operation_id=operation))
    assert (data["reason"], data["code"]) == ("rejected", code)
    assert names(disks)["rows"] == {"home"} == names(disks)["snapshots"]
    assert disks.row("operation_id::text, operation_status") == (operation, "failed")


@pytest.mark.parametrize(("other", "code"), [
    ({}, "disk-exists"), ({"is_deleted": True}, "disk-exists"), (None, "name-has-data")])
def test_a_name_that_is_taken_is_refused(disks, other, code):
    mine, theirs = disks.snapshot(), disks.snapshot(disk="training")
    disks.system.add_disk("alice", "home")
    if other is not None:
        disks.system.add_disk("alice", "training", **other)
    disks.system.start()
    assert disks.outcome(rename(disks))["code"] == code
    assert (disks.tags(mine)["disk_name"], disks.tags(theirs)["disk_name"]) == ("home", "training")
    assert disks.row("disk_name") == ("home",)


def test_a_disk_that_does_not_exist_and_a_name_that_cannot_be_are_refused(disks):
    disks.system.add_disk("alice", "home")
    disks.system.start()
    assert disks.outcome(rename(disks, disk="other"))["code"] == "unknown-disk"
    for name in ("", "a b", "ä", "x" * 129):
        job = disks.system.publish(KIND, {"user_id": "alice", "disk_name": "home", "new_name": name}, checked=False)
        data = disks.outcome(job)
        assert data["reason"] == "invalid-payload" and "new_name" in data["error"]


def test_a_volume_that_the_row_does_not_name_is_looked_into_first(disks):
    disks.volume()
    disks.system.add_disk("alice", "home")
    disks.system.start()
    assert disks.outcome(rename(disks))["code"] == "unknown-volume"
    assert names(disks)["volumes"] == {"home"}


@pytest.mark.parametrize("point", ["claimed", "acted", "committing", "committed"])
def test_a_worker_that_dies_on_the_way_leaves_a_job_that_goes_on(disks, point):
    disks.snapshot()
    disks.snapshot()
    volume = disks.volume()
    disks.system.add_disk("alice", "home", ebs_volume_id=volume, snapshot_count=2)
    doomed = disks.system.start_doomed(GPUDEV_KILL_AT=point)
    job = rename(disks)
    assert doomed.wait(30) == -signal.SIGKILL
    disks.system.start()
    assert disks.outcome(job, 60)["snapshots"] == 2
    assert names(disks) == {"rows": {"training"}, "volumes": {"training"}, "snapshots": {"training"}}


def half_renamed(disks, *, row_knows: bool = True) -> str:
    """A rename whose worker has died when AWS had the new name and the row the old one; nobody goes on with it."""
    newest = disks.snapshot()
    disks.system.add_disk("alice", "home")
    if row_knows:
        disks.system.rows(
            "UPDATE disks SET snapshot_count = 1, last_snapshot_at = %s",
            disks.ec2.describe_snapshots(SnapshotIds=[newest])["Snapshots"][0]["StartTime"])
    disks.system.environment["WORKER_UNKNOWN_KIND_WAIT"] = "1h"
    doomed = disks.system.start_doomed(GPUDEV_KILL_AT="acted")
    job = rename(disks)
    assert doomed.wait(30) == -signal.SIGKILL
    assert names(disks) == {"rows": {"home"}, "volumes": set(), "snapshots": {"training"}}
    return job


@pytest.mark.parametrize("row_knows", [True, False])
def test_between_the_two_nothing_is_handed_out_deleted_or_made(disks, row_knows):
    job = half_renamed(disks, row_knows=row_knows)
    waiting, = disks.system.start(GPUDEV_OLDER_THAN=KIND)
    reservation = disks.reserve()
    refused = disks.outcome(disks.restore(reservation))
    assert (refused["reason"], refused["code"]) == ("rejected", "snapshots-missing")
    for kind in ("disk.prune-snapshots", "disk.reconcile-all"):
        assert "errors" in disks.outcome(disks.system.publish(kind, {}))
    assert names(disks) == {"rows": {"home"}, "volumes": set(), "snapshots": {"training"}}
    waiting.stop()
    disks.system.start()
    assert disks.outcome(job, 60)["snapshots"] == 1
    assert names(disks) == {"rows": {"training"}, "volumes": set(), "snapshots": {"training"}}


@pytest.mark.parametrize("obstacle", ["a disk of the new name", "somebody who uses it"])
def test_what_comes_between_moves_all_of_it_back(disks, obstacle):
    job = half_renamed(disks)
    if obstacle == "a disk of the new name":
        disks.system.add_disk("alice", "training")
        code = "disk-exists"
    else:
        disks.system.rows("UPDATE disks SET in_use = true, reservation_id = %s", disks.reserve())
        code = "disk-in-use"
    disks.system.start()
    assert disks.outcome(job, 60)["code"] == code
    assert names(disks)["snapshots"] == {"home"}
    assert disks.row("disk_name") == ("home",)


def test_many_renames_at_once_lose_no_snapshot_and_share_no_name(disks, pytestconfig):
    """Whatever the order: each disk has its own snapshots under its own name, and names are unique."""
    draw = random.Random(pytestconfig.getoption("--seed"))
    own = {}
    for name in ("a", "b", "c"):
        disks.system.add_disk("alice", name, snapshot_count=1)
        own[name] = disks.snapshot(disk=name)
    before = dict(disks.system.rows("SELECT disk_name, disk_id::text FROM disks"))
    disks.system.start(2)
    jobs = [rename(disks, *draw.sample("abcdef", 2)) for _ in range(16)]
    for job in jobs:
        disks.outcome(job, 90)
    after = {disk: name for name, disk in disks.system.rows("SELECT disk_name, disk_id::text FROM disks")}
    assert len(after) == 3 == len(set(after.values()))
    assert {name: disks.tags(own[name])["disk_name"] for name in own} == {name: after[before[name]] for name in own}
