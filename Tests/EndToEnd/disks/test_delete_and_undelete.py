"""disk.delete and disk.undelete: the row first and the tags after it, and all of it back before the day."""

import threading
import uuid

import pytest

from harness.disks import day
from harness.waiting import eventually


def marks(disks) -> list[str | None]:
    return [disks.tags(snapshot["SnapshotId"]).get("delete-date") for snapshot in disks.snapshots()]


def test_a_deleted_disk_and_its_snapshots_carry_the_day(disks):
    operation = str(uuid.uuid4())
    disks.system.add_disk("alice", "home")
    disks.snapshot()
    disks.snapshot()
    other = disks.snapshot(disk="other")
    copy = disks.snapshot(gpu__dev__quarantine__backup="true")
    disks.system.start()
    data = disks.outcome(disks.publish("disk.delete", operation_id=operation))
    assert data == {
        "user_id": "alice", "disk_name": "home", "delete_date": day(30), "tagged_snapshots": 2, "snapshot_id": None,
        "volume_id": None, "dry_run": False}
    assert disks.row("is_deleted, delete_date::text, marked_deleted_at IS NOT NULL, operation_id::text, operation_status") == (
        True, day(30), True, operation, "completed")
    assert sorted(marks(disks), key=str) == [day(30), day(30), None]
    assert "marked-deleted-at" in disks.tags(disks.snapshots()[0]["SnapshotId"])
    assert "delete-date" not in disks.tags(other) | disks.tags(copy)


@pytest.mark.parametrize("columns", [{"in_use": True}, {"is_backing_up": True}, {"ebs_volume_id": "attached"}])
def test_a_disk_in_use_is_refused_and_nothing_is_marked(disks, cloud, columns):
    operation = str(uuid.uuid4())
    if columns.get("ebs_volume_id"):
        volume = disks.volume()
        disks.ec2.attach_volume(VolumeId=volume, InstanceId=cloud.instance, Device="/dev/xvdf")
        columns = {"ebs_volume_id": volume}
    disks.system.add_disk("alice", "home", **columns)
    disks.snapshot()
    disks.system.start()
    data = disks.outcome(disks.publish("disk.delete", operation_id=operation))
    assert (data["reason"], data["code"]) == (
        "rejected", "disk-backing-up" if "is_backing_up" in columns else "disk-in-use")
    assert marks(disks) == [None]
    assert disks.row("is_deleted, delete_date, operation_status") == (False, None, "failed")


@pytest.mark.parametrize(("date", "code"), [(-1, "delete-date-past"), (None, "unknown-disk")])
def test_a_deletion_that_cannot_be_is_refused(disks, date, code):
    if date:
        disks.system.add_disk("alice", "home")
    disks.system.start()
    assert disks.outcome(disks.publish("disk.delete", delete_date=day(date or 0)))["code"] == code


@pytest.mark.parametrize("date", ["2026-02-30", "20260201", "tomorrow", ""])
def test_what_is_no_day_is_refused(disks, date):
    disks.system.add_disk("alice", "home")
    disks.system.start()
    job = disks.system.publish(
        "disk.delete", {"user_id": "alice", "disk_name": "home", "delete_date": date}, checked=False)
    data = disks.outcome(job)
    assert data["reason"] == "invalid-payload" and "delete_date" in data["error"]
    assert disks.row("is_deleted") == (False,)


def test_a_volume_that_was_left_over_goes_into_a_last_snapshot(disks, aws):
    volume = disks.volume()
    disks.system.add_disk("alice", "home", ebs_volume_id=volume)
    aws.snapshots.hold()
    disks.system.start()
    job = disks.publish("disk.delete", delete_date=day(7))
    disks.waits(job, "snapshot-pending")
    assert disks.row("is_deleted, delete_date::text") == (True, day(7))
    assert len(disks.volumes()) == 1
    aws.snapshots.finish()
    data = disks.outcome(job)
    snapshot, = disks.snapshots()
    assert (data["snapshot_id"], data["volume_id"], data["tagged_snapshots"]) == (snapshot["SnapshotId"], volume, 1)
    assert disks.tags(snapshot["SnapshotId"]).items() >= {"delete-date": day(7), "disk_name": "home"}.items()
    assert disks.volumes() == [] and disks.row("ebs_volume_id") == (None,)


def test_a_worker_that_dies_after_the_row_leaves_the_marks_to_the_next(disks, aws):
    disks.system.add_disk("alice", "home")
    disks.snapshot()
    struck = threading.Event()

    def kill(*_) -> None:
        if not struck.is_set():
            struck.set()
            disks.system.replicas[0].kill()

    aws.before("CreateTags", kill)
    job = disks.publish("disk.delete", delete_date=day(9))
    disks.system.start_doomed()
    eventually("the worker was killed", lambda: struck.is_set() and not disks.system.replicas[0].is_alive)
    assert disks.row("is_deleted") == (True,)
    disks.system.start()
    assert disks.outcome(job, seconds=60)["tagged_snapshots"] == 1
    assert marks(disks) == [day(9)]


def test_a_dry_run_only_tells(disks):
    disks.snapshot()
    volume = disks.volume()
    disks.system.add_disk("alice", "home", ebs_volume_id=volume)
    before = disks.row("*")
    disks.system.start()
    data = disks.outcome(disks.publish("disk.delete", dry_run=True, operation_id=str(uuid.uuid4())))
    assert (data["tagged_snapshots"], data["volume_id"], data["dry_run"]) == (1, volume, True)
    assert disks.row("*") == before and marks(disks) == [None] and len(disks.volumes()) == 1


def test_an_undeleted_disk_has_all_its_data_again(disks):
    operation = str(uuid.uuid4())
    disks.snapshot()
    volume = disks.volume()
    disks.system.add_disk("alice", "home", ebs_volume_id=volume)
    disks.system.start()
    disks.outcome(disks.publish("disk.delete"))
    refused = disks.outcome(disks.restore(disks.reserve()))
    assert refused["code"] == "disk-deleted"
    data = disks.outcome(disks.publish("disk.undelete", operation_id=operation))
    assert data == {"user_id": "alice", "disk_name": "home", "untagged_snapshots": 2}
    assert marks(disks) == [None, None]
    assert disks.row("is_deleted, delete_date, marked_deleted_at, snapshot_count, operation_status") == (
        False, None, None, 2, "completed")
    restored = disks.outcome(disks.restore(disks.reserve()))
    source = next(each for each in disks.snapshots() if each["SnapshotId"] == restored["snapshot_id"])
    assert source["VolumeId"] == volume, "the last snapshot holds what was written last"


def test_a_worker_that_dies_before_the_row_lives_leaves_the_disk_deleted_and_whole(disks):
    disks.system.add_disk("alice", "home", is_deleted=True, delete_date=day(3))
    disks.snapshot(delete__date=day(3))
    job = disks.publish("disk.undelete")
    replica = disks.system.start_doomed(GPUDEV_KILL_AT="committing:1")
    replica.wait(60)
    assert disks.row("is_deleted") == (True,) and marks(disks) == [None]
    disks.system.start()
    disks.outcome(job, seconds=60)
    assert disks.row("is_deleted") == (False,) and marks(disks) == [None]


@pytest.mark.parametrize("date", [0, -1])
def test_a_disk_whose_day_has_come_stays_deleted(disks, date):
    disks.system.add_disk("alice", "home", is_deleted=True, delete_date=day(date))
    disks.snapshot(delete__date=day(date))
    disks.system.start()
    data = disks.outcome(disks.publish("disk.undelete", operation_id=str(uuid.uuid4())))
    assert data["code"] == "delete-date-past"
    assert disks.row("is_deleted, operation_status") == (True, "failed")
    assert marks(disks) == [day(date)]


def test_a_disk_cannot_be_made_under_the_name_of_a_deleted_one_and_the_operation_says_so(disks):
    operation = str(uuid.uuid4())
    disks.system.add_disk("alice", "home", is_deleted=True, delete_date=day(3))
    disks.system.start()
    data = disks.outcome(disks.publish("disk.create", operation_id=operation))
    assert (data["reason"], data["code"]) == ("rejected", "disk-deleted") and "undelete" in data["error"]
    status, error = disks.row("operation_status, operation_error")
    assert status == "failed" and "undelete" in error
    assert disks.row("is_deleted, operation_id::text") == (True, operation)


def test_an_operation_that_failed_on_a_disk_is_not_taken_for_its_creation(disks):
    operation = str(uuid.uuid4())
    disks.system.add_disk("alice", "home")
    disks.system.start()
    for _ in range(2):
        data = disks.outcome(disks.publish("disk.create", operation_id=operation))
        assert data["code"] == "disk-exists"
    assert disks.row("operation_id::text, operation_status") == (operation, "failed")
