"""Where the newest data of a disk is: where sources disagree nothing is handed out or deleted until somebody decides."""

import datetime
import time

import pytest

from harness.disks import OTHER_ZONE, ZONE, day
from harness.waiting import eventually

HOLD = "in_use, reservation_id, ebs_volume_id"


def next_second() -> None:
    """Moto tells whole seconds of snapshots."""
    time.sleep(1 - time.time() % 1)


def leak(disks, zone: str = ZONE, **tags) -> str:
    """A volume that an earlier session left behind, with a later session's snapshot beside it."""
    volume = disks.volume(zone=zone, **tags)
    next_second()
    disks.snapshot()
    return volume


def accept(disks, resource: str) -> None:
    """What a person does who knows which is right."""
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    disks.ec2.create_tags(
        Resources=[resource], Tags=[{"Key": "gpu-dev-newest", "Value": now.strftime("%Y-%m-%dT%H:%M:%SZ")}])


def reconcile(disks) -> dict:
    return disks.outcome(disks.system.publish("disk.reconcile-all", {}), seconds=60)


def refused(disks, code: str, job: str) -> dict:
    data = disks.outcome(job)
    assert (data["reason"], data["code"]) == ("rejected", code), data
    assert disks.row("operation_error")[0].startswith(code)
    return data


# A volume that was left behind, beside a newer snapshot


@pytest.mark.parametrize("zone", [ZONE, OTHER_ZONE])
@pytest.mark.parametrize("is_named", [True, False])
def test_a_stale_volume_is_neither_handed_out_nor_copied(disks, zone, is_named):
    reservation = disks.reserve()
    stale = leak(disks, zone)
    disks.system.add_disk("alice", "home", ebs_volume_id=stale if is_named else None)
    disks.system.start()
    refused(disks, "stale-volume", disks.restore(reservation))
    assert [each["VolumeId"] for each in disks.volumes()] == [stale]
    assert len(disks.snapshots()) == 1
    assert disks.row("in_use, reservation_id") == (False, None), "nobody has had anything of it"


def test_a_person_decides_between_a_volume_and_a_newer_snapshot(disks):
    reservation, other = disks.reserve(), disks.reserve()
    stale = leak(disks)
    disks.system.add_disk("alice", "home", ebs_volume_id=stale)
    disks.system.start()
    refused(disks, "stale-volume", disks.restore(reservation))
    accept(disks, stale)
    assert disks.outcome(disks.restore(reservation))["volume_id"] == stale
    disks.system.rows("UPDATE disks SET in_use = false, reservation_id = NULL")
    disks.system.rows("UPDATE reservations SET ebs_volume_id = NULL")
    disks.ec2.delete_tags(Resources=[stale], Tags=[{"Key": "gpu-dev-newest"}])
    disks.ec2.create_tags(Resources=[stale], Tags=[{"Key": "gpu-dev-quarantined", "Value": "2026-01-01T00:00:00Z"}])
    snapshot, = disks.snapshots()
    assert disks.outcome(disks.restore(other))["snapshot_id"] == snapshot["SnapshotId"]


def test_a_reconciliation_gives_no_row_a_stale_volume(disks):
    leak(disks)
    disks.system.add_disk("alice", "home")
    disks.system.start()
    data = reconcile(disks)
    assert (data["unclear_disks"], data["updated"]) == (1, 0)
    assert disks.row("ebs_volume_id, split_part(operation_error, ':', 1)") == (None, "stale-volume")
    one = disks.system.publish("disk.reconcile-volume", {"volume_id": disks.volumes()[0]["VolumeId"]})
    assert disks.outcome(one)["outcome"] == "conflict"
    assert disks.row("ebs_volume_id") == (None,)


def test_a_stale_volume_does_not_win_over_its_duplicate(disks):
    stale = leak(disks, size=50)
    next_second()
    current = disks.volume()
    disks.system.add_disk("alice", "home", ebs_volume_id=stale)
    disks.system.start()
    assert reconcile(disks)["quarantined_volumes"] == 1
    assert disks.row("ebs_volume_id") == (current,)
    assert "gpu-dev-quarantined" in disks.tags(stale)


def test_no_snapshot_is_taken_of_a_stale_volume(disks):
    stale = leak(disks)
    disks.system.add_disk("alice", "home", ebs_volume_id=stale)
    disks.system.start()
    refused(disks, "stale-volume", disks.publish("disk.create-snapshot", volume_id=stale))
    assert len(disks.snapshots()) == 1


# Snapshots that are missing, or not the newest


def test_a_disk_that_had_snapshots_gets_no_empty_volume(disks):
    reservation = disks.reserve()
    disks.system.add_disk("alice", "home", snapshot_count=2)
    disks.system.start()
    refused(disks, "snapshots-missing", disks.restore(reservation))
    assert disks.volumes() == [] and disks.row("snapshot_count, in_use") == (2, False)
    disks.system.rows("UPDATE disks SET snapshot_count = 0, last_snapshot_at = NULL")
    assert disks.outcome(disks.restore(reservation))["created"]


def test_an_older_snapshot_does_not_stand_in_for_the_newest(disks):
    reservation = disks.reserve()
    older = disks.snapshot()
    disks.system.add_disk("alice", "home", last_snapshot_at=datetime.datetime.now(datetime.UTC))
    disks.system.start()
    refused(disks, "older-snapshot", disks.restore(reservation))
    assert disks.volumes() == []
    accept(disks, older)
    assert disks.outcome(disks.restore(reservation))["snapshot_id"] == older


def test_the_time_of_the_newest_snapshot_is_not_forgotten_with_the_snapshot(disks):
    volume = disks.volume()
    disks.system.add_disk("alice", "home", ebs_volume_id=volume)
    disks.snapshot()
    disks.system.rows("UPDATE disks SET last_snapshot_at = now()")
    before = disks.row("last_snapshot_at")
    disks.system.start()
    disks.outcome(disks.publish("disk.complete-snapshot"))
    reconcile(disks)
    assert disks.row("last_snapshot_at") == before


# A session whose volume is gone


@pytest.mark.parametrize("state", ["gone", "error"])
def test_a_session_whose_volume_is_lost_is_not_reported_as_released(disks, aws, state):
    reservation = disks.reserve("expired")
    disks.snapshot()
    volume = disks.held(reservation, last_used=datetime.datetime.now(datetime.UTC))
    if state == "gone":
        disks.ec2.delete_volume(VolumeId=volume)
    else:
        aws.volumes.finish(volume, "error")
    disks.system.start()
    refused(disks, "volume-missing", disks.release(reservation))
    assert disks.row(HOLD) == (True, reservation, volume)
    assert len(disks.volumes()) == (state == "error")
    assert reconcile(disks)["unclear_disks"] == 1
    assert disks.row(HOLD) == (True, reservation, volume)
    accept(disks, disks.snapshots()[0]["SnapshotId"])
    assert disks.outcome(disks.release(reservation))["released"] is True
    assert disks.row("in_use") == (False,)


def test_a_snapshot_of_the_session_frees_its_disk_without_the_volume(disks):
    reservation = disks.reserve("expired")
    disks.system.add_disk(
        "alice", "home", in_use=True, reservation_id=reservation, ebs_volume_id="vol-0123456789abcdef0",
        last_used="2026-01-01T00:00:00Z")
    disks.snapshot()
    disks.system.start()
    assert disks.outcome(disks.release(reservation))["released"] is True


def test_the_same_session_gets_nothing_older_when_its_volume_is_gone(disks):
    reservation = disks.reserve()
    disks.snapshot()
    disks.system.add_disk("alice", "home")
    disks.system.start()
    volume = disks.outcome(disks.restore(reservation))["volume_id"]
    disks.ec2.delete_volume(VolumeId=volume)
    refused(disks, "volume-missing", disks.restore(reservation))
    assert disks.volumes() == []


# Marks of a deletion on a disk that lives


def test_a_mark_does_not_hide_the_data_of_a_disk_that_lives(disks):
    disks.snapshot()
    newest = disks.snapshot(delete__date="2020-01-01", marked__deleted__at="2019-12-01T00:00:00Z")
    disks.system.add_disk("alice", "home")
    disks.system.start()
    assert disks.outcome(disks.restore(disks.reserve()))["snapshot_id"] == newest
    assert reconcile(disks)["unmarked_snapshots"] == 1
    assert not {"delete-date", "marked-deleted-at"} & disks.tags(newest).keys()


def test_marks_that_are_set_while_a_disk_comes_to_life_are_taken_back(disks, aws):
    disks.system.add_disk(
        "alice", "home", is_deleted=True, delete_date="2099-01-01", marked_deleted_at="2026-01-01T00:00:00Z")
    snapshot = disks.snapshot()
    aws.after("CreateTags", lambda: disks.system.rows("UPDATE disks SET is_deleted = false, delete_date = NULL"))
    disks.system.start()
    data = disks.outcome(disks.system.publish("disk.prune-snapshots", {}))
    assert data["tagged_snapshots"] == 0
    assert "delete-date" not in disks.tags(snapshot)


def test_pruning_passes_over_a_disk_that_a_job_is_at(disks):
    disks.system.add_disk(
        "alice", "home", is_deleted=True, delete_date="2099-01-01", marked_deleted_at="2026-01-01T00:00:00Z")
    snapshot = disks.snapshot()
    disks.system.rows(
        "INSERT INTO job_ledger (job_id, kind, state, holder, exclusive_key, claimed_until)"
        " VALUES (gen_random_uuid(), 'disk.undelete', 'running', 1, 'disk:alice/home', now() + interval '1 min')")
    disks.system.start()
    assert disks.outcome(disks.system.publish("disk.prune-snapshots", {}))["held"] == 1
    assert "delete-date" not in disks.tags(snapshot)


# The end of a session whose teardown is late


def test_a_disk_is_held_until_its_release_however_late_that_comes(disks, cloud):
    reservation = disks.reserve()
    volume = disks.held(reservation, last_used="2026-01-01T00:00:00Z")
    disks.ec2.attach_volume(VolumeId=volume, InstanceId=cloud.instance, Device="/dev/xvdf")
    disks.system.start()
    disks.end(reservation)
    disks.ec2.detach_volume(VolumeId=volume, InstanceId=cloud.instance)
    reconcile(disks)
    assert disks.row(HOLD) == (True, reservation, volume)
    tear_down(disks, reservation)
    assert [each["VolumeId"] for each in disks.snapshots()] == [volume] and disks.volumes() == []


def test_a_disk_that_was_freed_before_its_release_is_found_all_the_same(disks):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation, in_use=False)
    disks.system.start()
    tear_down(disks, reservation)
    assert [each["VolumeId"] for each in disks.snapshots()] == [volume] and disks.volumes() == []


def tear_down(disks, reservation: str) -> None:
    job = disks.system.publish("reservation.tear-down", {"reservation_id": reservation, "status": "expired"})
    release = disks.outcome(job)["release_job_id"]
    assert release is not None
    assert disks.outcome(release)["released"] is True
    assert disks.row(HOLD) == (False, None, None)


# Whose reservation, volume and time it is


@pytest.mark.parametrize("status", ["queued", "pending", "preparing", "active"])
def test_a_disk_of_a_live_reservation_is_not_released(disks, cloud, status):
    reservation = disks.reserve(status)
    volume = disks.held(reservation)
    disks.ec2.attach_volume(VolumeId=volume, InstanceId=cloud.instance, Device="/dev/xvdf")
    disks.system.start()
    job = disks.release(reservation)
    disks.waits(job, "reservation-live")
    disks.system.rows("UPDATE job_ledger SET waiting_since = now() - interval '11 min'")
    assert disks.outcome(job)["code"] == "reservation-live"
    attachment, = disks.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]
    assert attachment["State"] == "attached" and disks.snapshots() == []


@pytest.mark.parametrize("tags", [{}, {"gpu-dev-user": "mallory"}, {"disk_name": "home"}])
def test_an_untagged_volume_is_nobodys_to_copy(disks, tags):
    disks.system.add_disk("mallory", "home")
    made = disks.ec2.create_volume(AvailabilityZone=ZONE, Size=10, VolumeType="gp3")["VolumeId"]
    for key, value in {"Name": "production-database-root", **tags}.items():
        disks.ec2.create_tags(Resources=[made], Tags=[{"Key": key, "Value": value}])
    disks.system.start()
    job = disks.publish("disk.create-snapshot", user="mallory", volume_id=made)
    assert disks.outcome(job)["code"] == "foreign-volume"
    assert disks.ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": [made]}])["Snapshots"] == []


def test_a_row_proves_that_its_own_volume_is_its_own(disks):
    made = disks.ec2.create_volume(AvailabilityZone=ZONE, Size=10, VolumeType="gp3")["VolumeId"]
    disks.system.add_disk("alice", "home", ebs_volume_id=made)
    disks.system.start()
    assert disks.outcome(disks.publish("disk.create-snapshot", volume_id=made))["volume_id"] == made


# Time between a deletion and the end of the data


def test_data_is_kept_for_a_week_whatever_day_a_job_names(disks):
    disks.system.add_disk("alice", "home")
    disks.snapshot()
    disks.system.start()
    assert disks.outcome(disks.publish("disk.delete", delete_date=day()))["delete_date"] == day(7)
    disks.system.rows("UPDATE disks SET delete_date = current_date - 1")
    disks.ec2.create_tags(
        Resources=[disks.snapshots()[0]["SnapshotId"]], Tags=[{"Key": "delete-date", "Value": day(-1)}])
    for payload in ({}, {"user_id": "alice", "disk_name": "home"}):
        assert disks.outcome(disks.system.publish("disk.prune-snapshots", payload))["purged"] == 0
    disks.system.rows("UPDATE disks SET marked_deleted_at = now() - interval '7 days 1 minute'")
    assert disks.outcome(disks.system.publish("disk.prune-snapshots", {}))["purged"] == 1


def test_an_hour_has_a_budget_of_deletions_that_every_job_keeps_to(disks):
    for name in ("one", "two"):
        disks.system.add_disk(
            "alice", name, is_deleted=True, delete_date=day(-1), marked_deleted_at="2026-01-01T00:00:00Z")
        for _ in range(2):
            disks.snapshot(name, delete__date=day(-1))
    disks.system.start(DISK_DELETIONS_PER_HOUR="3")

    def prune(name: str) -> tuple[int, int]:
        job = disks.system.publish("disk.prune-snapshots", {"user_id": "alice", "disk_name": name})
        data = disks.outcome(job)
        return data["purged"], data["deferred"]

    assert [prune("one"), prune("two")] == [(2, 0), (1, 1)]
    assert prune("two") == (0, 1)
    assert disks.system.rows("SELECT cause, disk_name, count(*) FROM snapshot_deletions GROUP BY 1, 2 ORDER BY 2") == [
        ("purged", "one", 2), ("purged", "two", 1)]
    disks.system.rows("UPDATE snapshot_deletions SET claimed_at = now() - interval '61 min'")
    assert prune("two") == (1, 0)
    eventually("the row is gone", lambda: disks.system.rows("SELECT FROM disks WHERE disk_name = 'two'") == [])
