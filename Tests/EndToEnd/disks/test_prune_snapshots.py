"""disk.complete-snapshot and disk.prune-snapshots: what the rows say of snapshots, and which of them may go."""

import datetime
import time

import boto3
import pytest

from harness.aws.call import put, read_xml, write_xml
from harness.disks import day
from harness.waiting import eventually


@pytest.fixture
def aged(disks, aws):
    """Makes a snapshot look so many days old; moto has no say in when one was begun."""
    ages: dict[str, float] = {}
    describe = aws.snapshots.describe

    def aged_describe(call):
        answer = describe(call)
        root = read_xml(answer.content)
        for item in root.iterfind("snapshotSet/item"):
            if (days := ages.get(item.findtext("snapshotId"))) is not None:
                begun = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
                put(item, "startTime", begun.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        return answer.but(content=write_xml(root))

    aws._own["DescribeSnapshots"] = aged_describe

    def make(days: float, **more) -> str:
        snapshot = disks.snapshot(**more)
        ages[snapshot] = days
        return snapshot

    return make


def prune(disks, **payload) -> dict:
    return disks.outcome(disks.system.publish("disk.prune-snapshots", payload), seconds=60)


def existing() -> set[str]:
    return {each["SnapshotId"] for each in boto3.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]}


def test_the_row_says_what_one_listing_has_however_often_it_is_told(disks, aws):
    disks.snapshot(snapshot_content_s3="s3://bucket/older", disk_size="1G")
    disks.snapshot(delete__date="2099-01-01")
    volume = disks.volume()
    disks.system.add_disk("alice", "home", ebs_volume_id=volume, snapshot_count=7, last_used="2026-01-02T03:04:05Z")
    aws.snapshots.hold()
    disks.system.start()
    tags = {"content_s3_uri": "s3://bucket/newer", "disk_size": "2G"}
    pending = disks.outcome(disks.publish("disk.create-snapshot", **tags))["snapshot_id"]
    job = disks.publish("disk.complete-snapshot", snapshot_id=pending)
    disks.waits(job, "snapshot-pending")
    assert disks.row("snapshot_count, pending_snapshot_count, is_backing_up, latest_snapshot_content_s3") == (
        2, 1, True, "s3://bucket/older")
    aws.snapshots.finish(pending)
    for each in (job, disks.publish("disk.complete-snapshot"), disks.publish("disk.complete-snapshot")):
        data = disks.outcome(each)
        begun = disks.ec2.describe_snapshots(SnapshotIds=[pending])["Snapshots"][0]["StartTime"]
        assert data["snapshot_id"] == pending
        assert (data["snapshot_count"], data["pending_snapshot_count"]) == (2, 0)
        assert datetime.datetime.fromisoformat(data["last_snapshot_at"]) == begun
        assert disks.row(
            "snapshot_count, pending_snapshot_count, is_backing_up, last_snapshot_at, latest_snapshot_content_s3,"
            " disk_size, last_used = '2026-01-02T03:04:05Z'") == (
            2, 0, False, begun, "s3://bucket/newer", "2G", True)


@pytest.mark.parametrize(("which", "code"), [
    ("error", "snapshot-failed"), ("foreign", "foreign-snapshot"), ("absent", "InvalidSnapshot.NotFound")])
def test_a_snapshot_that_will_never_be_complete_is_told_of(disks, aws, which, code):
    disks.system.add_disk("alice", "home", is_backing_up=True)
    snapshot = {"error": disks.snapshot, "foreign": lambda: disks.snapshot(disk="other"),
                "absent": lambda: "snap-0123456789abcdef0"}[which]()
    if which == "error":
        aws.snapshots.finish(snapshot, "error")
    disks.system.start()
    job = disks.publish("disk.complete-snapshot", snapshot_id=snapshot)
    if which == "absent":
        disks.waits(job, code)
        disks.system.rows("UPDATE job_ledger SET waiting_since = now() - interval '1 min'")
    assert disks.outcome(job)["code"] == code
    assert disks.row("is_backing_up") == (which != "error",)


def test_the_three_newest_stay_and_what_is_a_week_old_at_most(disks, aged):
    disks.system.add_disk("alice", "home", snapshot_count=6)
    kept = {aged(days) for days in (20, 30, 40)}
    doomed = {aged(days) for days in (50, 60)}
    elsewhere = {aged(50, gpu__dev__quarantine__backup="true", quarantine__deletion__date="2099-01-01T00:00:00Z")}
    disks.system.start()
    assert prune(disks, dry_run=True) == {
        "disks": 1, "snapshots": 6, "tagged_snapshots": 0, "retention_deleted": 2, "purged": 0, "safety_purged": 0,
        "kept_in_use": 0, "deferred": 0, "held": 0, "unclear": 0, "errors": 0, "dry_run": True}
    assert existing() == kept | doomed | elsewhere
    assert prune(disks)["retention_deleted"] == 2
    assert existing() == kept | elsewhere
    assert disks.row("snapshot_count") == (3,)
    assert prune(disks)["retention_deleted"] == 0


def test_five_disks_of_one_user_with_one_snapshot_each_lose_none(disks, aged):
    for number in range(5):
        disks.system.add_disk("alice", f"d{number}")
        aged(100, disk=f"d{number}")
    disks.system.start()
    before = existing()
    assert prune(disks) == {
        "disks": 5, "snapshots": 5, "tagged_snapshots": 0, "retention_deleted": 0, "purged": 0, "safety_purged": 0,
        "kept_in_use": 0, "deferred": 0, "held": 0, "unclear": 0, "errors": 0, "dry_run": False}
    assert existing() == before


def test_ten_go_at_a_time_and_those_that_an_image_needs_stay(disks, aws, aged):
    disks.system.add_disk("alice", "home")
    snapshots = [aged(20 + number) for number in range(15)]
    aws.snapshots.protect(snapshots[-1])
    disks.system.start()
    first = prune(disks, user_id="alice", disk_name="home")
    assert (first["retention_deleted"], first["kept_in_use"], first["errors"]) == (10, 1, 0)
    assert existing() == {*snapshots[:4], snapshots[-1]}
    second = prune(disks, user_id="alice", disk_name="home")
    assert (second["retention_deleted"], second["kept_in_use"]) == (1, 1)
    assert existing() == {*snapshots[:3], snapshots[-1]}


def test_what_is_due_goes_with_its_row_and_what_lives_is_kept(disks):
    disks.system.add_disk("alice", "gone", is_deleted=True, marked_deleted_at="2026-01-01T00:00:00Z", delete_date=day(-1))
    disks.system.add_disk("alice", "later", is_deleted=True, marked_deleted_at="2026-01-01T00:00:00Z", delete_date=day(1))
    disks.system.add_disk("alice", "home")
    due = disks.snapshot("gone", delete__date=day(-1))
    unmarked = disks.snapshot("later")
    kept = {
        disks.snapshot("later", delete__date=day(1)), disks.snapshot("home", delete__date=day(-40)),
        disks.snapshot("nobody's", delete__date=day(-5)), disks.snapshot("gone", user="bob", delete__date="soon")}
    forgotten = disks.snapshot("nobody's", delete__date=day(-9))
    disks.system.start()
    data = prune(disks)
    assert (data["tagged_snapshots"], data["purged"], data["errors"]) == (1, 2, 1)
    assert existing() == kept | {unmarked}
    assert due not in existing() and forgotten not in existing()
    assert disks.tags(unmarked)["delete-date"] == day(1)
    assert disks.system.rows("SELECT disk_name FROM disks ORDER BY 1") == [("home",), ("later",)]
    assert disks.outcome(disks.publish("disk.create", "gone"))["disk_name"] == "gone"


def test_a_disk_that_was_undeleted_after_the_listing_keeps_its_data(disks, aws):
    disks.system.add_disk("alice", "home", is_deleted=True, marked_deleted_at="2026-01-01T00:00:00Z", delete_date=day(-1))
    snapshot = disks.snapshot(delete__date=day(-1))
    aws.after("DescribeSnapshots", lambda: disks.system.rows("UPDATE disks SET is_deleted = false, delete_date = NULL"))
    disks.system.start()
    assert prune(disks)["purged"] == 0
    assert existing() == {snapshot}


def test_a_row_stays_while_a_volume_of_it_is_there(disks):
    disks.system.add_disk("alice", "home", is_deleted=True, marked_deleted_at="2026-01-01T00:00:00Z", delete_date=day(-1))
    disks.snapshot(delete__date=day(-1))
    disks.volume()
    disks.system.start()
    assert prune(disks)["purged"] == 1
    assert disks.row("is_deleted") == (True,)


def test_safety_copies_go_ninety_days_after_their_volume(disks):
    def copy(days: int, volume: str) -> str:
        return disks.snapshot(
            disk_name=None, disk__name="home", gpu__dev__quarantine__backup="true", original__volume__id=volume,
            quarantine__deletion__date=f"{day(-days)}T00:00:00Z")

    there = disks.volume()
    old, young = copy(91, "vol-0123456789abcdef0"), copy(80, "vol-0123456789abcdef0")
    needed = copy(91, there)
    disks.system.start()
    assert prune(disks)["safety_purged"] == 1
    assert existing() == {young, needed} and old not in existing()


def test_too_much_at_once_goes_in_several_runs(disks):
    disks.system.add_disk("alice", "home", is_deleted=True, marked_deleted_at="2026-01-01T00:00:00Z", delete_date=day(-1))
    for _ in range(11):
        disks.snapshot(delete__date=day(-1))
    disks.system.start()
    data = prune(disks)
    assert (data["purged"], data["deferred"]) == (10, 1)
    assert len(existing()) == 1
    assert (prune(disks)["purged"], existing()) == (1, set())


def test_one_listing_shows_what_there_is_however_many_disks(disks, aws):
    for number in range(30):
        disks.system.add_disk("alice", f"d{number}")
        disks.snapshot(f"d{number}")
    aws.pages.hold_at_most(20)
    disks.system.start()
    assert prune(disks)["snapshots"] == 30
    assert aws.meant.count("DescribeSnapshots") == 2, "one listing in two pages"


def test_a_snapshot_that_cannot_be_deleted_is_counted_and_the_others_go(disks, aws, aged):
    for disk in ("home", "work"):
        disks.system.add_disk("alice", disk)
        for days in (10, 20, 30, 40):
            aged(days, disk=disk)
    aws.fail("DeleteSnapshot", "InvalidParameterValue")
    disks.system.start()
    data = prune(disks)
    assert (data["retention_deleted"], data["errors"]) == (1, 1)
    assert len(existing()) == 7


def test_snapshots_stay_while_it_is_unclear_which_is_the_newest(disks, aged):
    disks.system.add_disk("alice", "home")
    for days in (20, 30, 40, 50):
        aged(days)
    stale = disks.volume()
    time.sleep(1 - time.time() % 1)
    disks.snapshot()
    disks.system.start()
    for payload in ({}, {"user_id": "alice", "disk_name": "home"}):
        data = prune(disks, **payload)
        assert (data["unclear"], data["retention_deleted"]) == (1, 0)
    disks.ec2.delete_volume(VolumeId=stale)
    data = prune(disks)
    assert (data["unclear"], data["retention_deleted"]) == (0, 2)


def test_a_user_without_a_disk_is_no_order(disks):
    disks.system.start()
    job = disks.system.publish("disk.prune-snapshots", {"user_id": "alice"}, checked=False)
    data = disks.outcome(job)
    assert data["reason"] == "invalid-payload" and "disk_name" in data["error"]


def test_two_runs_at_once_delete_nothing_twice(disks, aws, aged):
    disks.system.add_disk("alice", "home")
    for days in range(10, 17):
        aged(days)
    disks.system.start(2)
    jobs = [disks.system.publish("disk.prune-snapshots", {}) for _ in range(2)]
    eventually("both have ended", lambda: all(disks.hurry(job) or disks.system.events_of(job) for job in jobs), 60)
    assert sum(disks.outcome(job)["retention_deleted"] for job in jobs) == 4
    assert len(existing()) == 3
