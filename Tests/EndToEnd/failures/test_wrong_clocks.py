"""The clock of one replica is wrong by weeks: what ends, and when, goes by PostgreSQL's clock all the same."""

import datetime
import uuid

import pytest

from harness.disks import day
from harness.waiting import eventually

STEPS = ("+40d", "-40d")


def ago(**time: float) -> str:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(**time)
    return then.isoformat(timespec="seconds").replace("+00:00", "Z")


def existing(disks) -> set[str]:
    return {each["SnapshotId"] for each in disks.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}


def is_now(time: str) -> bool:
    distance = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(time)
    return abs(distance) < datetime.timedelta(minutes=10)


def quarantined(disks, days: float, disk: str = "home") -> str:
    return disks.volume(
        disk, gpu__dev__quarantined=ago(days=days), gpu__dev__quarantine__reason="as the test wants it")


def copy_of(disks, volume: str, days: float, disk: str = "home") -> str:
    return disks.snapshot(
        disk, gpu__dev__quarantine__backup="true", original__volume__id=volume, retention__days="90",
        quarantine__deletion__date=ago(days=days))


def run(disks, kind: str) -> dict:
    return disks.outcome(disks.system.publish(kind, {}), seconds=60)


@pytest.mark.parametrize("step", STEPS)
def test_prunes_what_is_due_and_nothing_else(disks, step):
    """Four young snapshots, a deletion whose day is to come, one whose data is kept a week, and one that is due."""
    disks.system.add_disk("alice", "home", snapshot_count=4)
    for _ in range(4):
        disks.snapshot()
    for name, days in (("later", 20), ("young", 0), ("due", 0)):
        disks.system.add_disk("alice", name)
        disks.system.rows("UPDATE disks SET is_deleted = true, delete_date = %s WHERE disk_name = %s", day(days), name)
        disks.snapshot(name, delete__date=day(days))
    disks.system.rows(
        "UPDATE disks SET marked_deleted_at = now() - interval '8 days' WHERE disk_name IN ('later', 'due')")
    nobodys = disks.snapshot("gone", delete__date=day(-1))
    copy = copy_of(disks, "vol-0123456789abcdef0", days=80, disk="copied")
    disks.system.start_at(step)
    told = run(disks, "disk.prune-snapshots")
    assert (told["retention_deleted"], told["purged"], told["safety_purged"], told["errors"]) == (0, 1, 0, 0)
    assert len(disks.snapshots()) == 4 and disks.snapshots("due") == [] and {nobodys, copy} <= existing(disks)
    assert len(disks.snapshots("later")) == len(disks.snapshots("young")) == 1
    assert disks.system.rows("SELECT disk_name FROM disks ORDER BY 1") == [("home",), ("later",), ("young",)]


@pytest.mark.parametrize("step", STEPS)
def test_a_volume_stays_in_quarantine_for_its_thirty_days(disks, step):
    young = quarantined(disks, days=10)
    old = quarantined(disks, days=31, disk="old")
    copy = copy_of(disks, "vol-0123456789abcdef0", days=80, disk="copied")
    disks.system.start_at(step)
    told = run(disks, "disk.reconcile-all")
    assert (told["cleanup_skipped_too_recent"], told["cleanup_waiting_snapshot"]) == (1, 1)
    assert run(disks, "disk.reconcile-all")["cleanup_deleted"] == 1
    assert {each["VolumeId"] for each in disks.ec2.describe_volumes()["Volumes"]} & {young, old} == {young}
    made, = (each for each in disks.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] if each["VolumeId"] == old)
    assert is_now(disks.tags(made["SnapshotId"])["quarantine-deletion-date"])
    assert copy in existing(disks)


@pytest.mark.parametrize("step", STEPS)
def test_a_quarantine_begins_now(disks, step):
    """Whoever reads the tag afterwards has a clock that is right."""
    volumes = {disks.volume(), disks.volume()}
    disks.system.add_disk("alice", "home", ebs_volume_id=min(volumes), size_gb=10)
    disks.system.start_at(step)
    assert run(disks, "disk.reconcile-all")["quarantined_volumes"] == 1
    tags = [disks.tags(volume) for volume in volumes]
    since, = (tag["gpu-dev-quarantined"] for tag in tags if "gpu-dev-quarantined" in tag)
    assert is_now(since)


@pytest.mark.parametrize("step", STEPS)
def test_a_deletion_has_its_usual_term_and_its_floor(disks, step):
    for name in ("home", "soon", "past"):
        disks.system.add_disk("alice", name)
        disks.snapshot(name)
    disks.system.start_at(step)
    assert disks.outcome(disks.publish("disk.delete"))["delete_date"] == day(30)
    assert disks.outcome(disks.publish("disk.delete", "soon", delete_date=day(0)))["delete_date"] == day(7)
    assert disks.outcome(disks.publish("disk.delete", "past", delete_date=day(-1)))["code"] == "delete-date-past"
    tags = disks.tags(disks.snapshots()[0]["SnapshotId"])
    assert tags["delete-date"] == day(30) and is_now(tags["marked-deleted-at"])


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_can_be_undeleted_until_its_day(disks, step):
    for name, days in (("home", 1), ("over", 0)):
        disks.system.add_disk("alice", name, is_deleted=True, delete_date=day(days))
        disks.snapshot(name, delete__date=day(days))
    disks.system.start_at(step)
    assert disks.outcome(disks.publish("disk.undelete"))["untagged_snapshots"] == 1
    assert disks.row("is_deleted, delete_date") == (False, None)
    told = disks.outcome(disks.publish("disk.undelete", "over", operation_id=str(uuid.uuid4())))
    assert told["code"] == "delete-date-past"
    assert disks.row("is_deleted", "over") == (True,)


@pytest.mark.parametrize("step", STEPS)
def test_a_volume_that_does_not_show_yet_is_not_made_twice(disks, aws, step):
    disks.system.add_disk("alice", "home")
    aws.volumes.hold()
    aws.volumes.hide_new(seconds=300)
    disks.system.start_at(step)
    job = disks.restore(disks.reserve())
    disks.waits(job, "volume-pending")
    eventually("the job has looked again", lambda: (
        disks.hurry(job) or aws.count("CreateVolume") > 1 and disks.system.state(job)[0] == "waiting"))
    aws.volumes.release()
    assert disks.outcome(job)["created"]
    assert len(disks.volumes()) == 1
