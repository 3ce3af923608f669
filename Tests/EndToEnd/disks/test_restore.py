"""disk.restore: a reservation gets its disk, with the newest data there is, and nobody else's."""

import uuid

import pytest

from harness.disks import OTHER_ZONE, ZONE, day
from harness.waiting import eventually


def test_the_same_message_delivered_ten_times_makes_one_empty_volume(disks):
    reservation = disks.reserve("preparing")
    disks.system.add_disk("alice", "home", size_gb=20)
    disks.system.start(2)
    job = str(uuid.uuid4())
    for _ in range(10):
        disks.restore(reservation, job=job)
    data = disks.outcome(job)
    volume, = disks.volumes()
    assert data == {
        "user_id": "alice", "disk_name": "home", "reservation_id": reservation, "volume_id": volume["VolumeId"],
        "availability_zone": ZONE, "size_gb": 20, "snapshot_id": None, "is_new": True, "created": True}
    assert (volume["AvailabilityZone"], volume["Size"], volume["VolumeType"]) == (ZONE, 20, "gp3")
    assert disks.tags(volume["VolumeId"]).items() >= {
        "gpu-dev-user": "alice", "disk_name": "home", "Name": "gpu-dev-disk-alice-home", "Project": "gpu-dev-servers",
        "ManagedBy": "gpu-dev-cli", "reservation_id": reservation, "gpu-dev-operation": job}.items()
    assert disks.row("in_use, reservation_id, ebs_volume_id") == (True, reservation, volume["VolumeId"])
    assert disks.system.rows("SELECT ebs_volume_id, ebs_availability_zone FROM reservations") == [
        (volume["VolumeId"], ZONE)]


def test_the_newest_good_snapshot_of_this_disk_becomes_the_volume(disks, aws):
    disks.system.add_disk("alice", "home", size_gb=10)
    disks.snapshot()
    newest = disks.snapshot(size=30)
    disks.snapshot(disk="other")
    disks.snapshot(user="bob")
    disks.snapshot(gpu__dev__quarantine__backup="true")
    aws.snapshots.finish(disks.snapshot(), "error")
    disks.system.start()
    data = disks.outcome(disks.restore(disks.reserve()))
    volume = next(each for each in disks.volumes() if each["VolumeId"] == data["volume_id"])
    assert (volume["SnapshotId"], volume["Size"]) == (newest, 30)
    assert (data["snapshot_id"], data["is_new"], data["created"]) == (newest, False, True)
    assert disks.row("size_gb") == (30,)


def test_a_disk_of_an_initial_snapshot_is_new(disks):
    disks.system.add_disk("alice", "home")
    disks.snapshot(SnapshotType="initial")
    disks.system.start()
    data = disks.outcome(disks.restore(disks.reserve(), size_gb=12))
    assert (data["is_new"], data["size_gb"]) == (True, 12)


def test_a_reservation_gets_no_disk_of_a_user_who_has_no_part_in_it(disks):
    disks.system.add_disk("bob", "home", size_gb=10)
    reservation = disks.reserve()
    disks.system.start()
    assert disks.outcome(disks.restore(reservation, user="bob"))["code"] == "foreign-reservation"
    assert disks.system.rows("SELECT in_use, reservation_id FROM disks") == [(False, None)] and disks.volumes() == []
    disks.system.rows("UPDATE reservations SET secondary_users = '[\"carol\", \"bob\"]'")
    assert disks.outcome(disks.restore(reservation, user="bob"))["created"] is True


@pytest.mark.parametrize("how", ["exhausted", "waited in vain", "poison"])
@pytest.mark.parametrize("kind", ["disk.restore", "disk.delete", "disk.undelete"])
def test_an_operation_ends_with_its_job(disks, aws, kind, how):
    """Whatever the job dies of: tries that are used up, a wait that is too long, or the end of its worker."""
    operation = str(uuid.uuid4())
    disks.system.add_disk("alice", "home", size_gb=10)
    if kind == "disk.undelete":
        disks.system.rows("UPDATE disks SET is_deleted = true, delete_date = %s", day(3))
    place = {"reservation_id": disks.reserve(), "availability_zone": ZONE} if kind == "disk.restore" else {}
    if how == "waited in vain":
        if kind == "disk.undelete":
            pytest.skip("it waits for nothing")
        disks.volume(), disks.volume()
    job = disks.publish(kind, operation_id=operation, **place)
    if how == "exhausted":
        aws.fail("DescribeSnapshots", "InternalError", status=500, times=10**6)
        disks.system.start(WORKER_MAX_ATTEMPTS="2", WORKER_RETRY_BASE="100ms", WORKER_DEADLINE="6s")
    elif how == "waited in vain":
        disks.system.start()
        disks.waits(job, "duplicate-volumes")
        disks.system.rows("UPDATE job_ledger SET waiting_since = now() - interval '30 days'")
    else:
        doomed = disks.system.start_doomed(GPUDEV_KILL_AT="acted")
        eventually("the worker dies", lambda: not doomed.is_alive)
        assert disks.row("operation_status") == ("in_progress",)
        disks.system.start(WORKER_MAX_STARTS="1")
    told = disks.outcome(job, 60)
    assert told["reason"] == ("poison" if how == "poison" else "exhausted")
    assert disks.row("operation_id::text, operation_status, operation_error") == (operation, "failed", told["error"])


def test_a_pending_snapshot_is_waited_for(disks, aws):
    reservation = disks.reserve()
    disks.system.add_disk("alice", "home", size_gb=10)
    disks.snapshot()
    volume = disks.volume()
    aws.snapshots.hold()
    disks.system.start()
    disks.system.rows("UPDATE disks SET ebs_volume_id = %s", volume)
    pending = disks.outcome(disks.publish("disk.create-snapshot"))["snapshot_id"]
    disks.ec2.delete_volume(VolumeId=volume)
    job = disks.restore(reservation)
    disks.waits(job, "snapshot-pending")
    assert disks.volumes() == []
    aws.snapshots.finish(pending)
    assert disks.outcome(job)["snapshot_id"] == pending


def test_a_volume_that_is_left_over_is_used_again(disks):
    reservation = disks.reserve()
    disks.snapshot()
    volume = disks.volume(reservation_id="an-earlier-one")
    disks.system.add_disk("alice", "home", ebs_volume_id=volume)
    disks.system.start()
    data = disks.outcome(disks.restore(reservation))
    assert (data["volume_id"], data["created"], data["snapshot_id"], data["is_new"]) == (volume, False, None, False)
    assert len(disks.volumes()) == 1
    assert disks.tags(volume)["reservation_id"] == reservation


def test_a_volume_left_over_in_another_zone_moves_by_way_of_a_snapshot(disks, aws):
    reservation = disks.reserve()
    disks.snapshot()
    volume = disks.volume(zone=OTHER_ZONE)
    disks.system.add_disk("alice", "home", ebs_volume_id=volume)
    aws.snapshots.hold()
    disks.system.start()
    job = disks.restore(reservation)
    disks.waits(job, "snapshot-pending")
    assert [each["VolumeId"] for each in disks.volumes()] == [volume]
    aws.snapshots.finish()
    data = disks.outcome(job)
    moved, = disks.volumes()
    copy, = (each for each in disks.snapshots() if each["VolumeId"] == volume)
    assert (moved["VolumeId"], moved["AvailabilityZone"]) == (data["volume_id"], ZONE)
    assert moved["SnapshotId"] == copy["SnapshotId"] == data["snapshot_id"]
    assert disks.tags(copy["SnapshotId"])["SnapshotType"] == "migration"


def test_a_volume_that_is_still_attached_is_waited_for(disks, cloud):
    reservation = disks.reserve()
    volume = disks.volume()
    disks.ec2.attach_volume(VolumeId=volume, InstanceId=cloud.instance, Device="/dev/xvdf")
    disks.system.add_disk("alice", "home", ebs_volume_id=volume)
    disks.system.start()
    job = disks.restore(reservation)
    disks.waits(job, "volume-in-use")
    disks.ec2.detach_volume(VolumeId=volume, InstanceId=cloud.instance)
    assert disks.outcome(job)["volume_id"] == volume


def test_a_volume_in_quarantine_is_never_used(disks):
    disks.volume(gpu__dev__quarantined="2026-01-01T00:00:00Z")
    disks.system.add_disk("alice", "home")
    disks.system.start()
    data = disks.outcome(disks.restore(disks.reserve()))
    assert data["created"] and len(disks.volumes()) == 2


def test_which_of_two_volumes_holds_the_data_is_not_guessed(disks):
    first, second = disks.volume(), disks.volume()
    disks.system.add_disk("alice", "home")
    disks.system.start()
    job = disks.restore(disks.reserve())
    disks.waits(job, "duplicate-volumes")
    disks.ec2.create_tags(Resources=[first], Tags=[{"Key": "gpu-dev-quarantined", "Value": "2026-01-01T00:00:00Z"}])
    assert disks.outcome(job)["volume_id"] == second


def test_the_volume_of_a_renamed_disk_is_not_taken_for_that_of_its_old_name(disks):
    volume = disks.volume("old")
    disks.system.add_disk("alice", "new", ebs_volume_id=volume)
    disks.system.add_disk("alice", "old")
    disks.system.start()
    fresh = disks.outcome(disks.restore(disks.reserve(), disk="old"))
    assert fresh["created"] and fresh["volume_id"] != volume
    renamed = disks.outcome(disks.restore(disks.reserve(), disk="new"))
    assert renamed["volume_id"] == volume and disks.tags(volume)["disk_name"] == "new"


def test_a_volume_that_ends_in_error_is_replaced_once(disks, aws):
    disks.system.add_disk("alice", "home")
    aws.volumes.hold()
    disks.system.start()
    job = disks.restore(disks.reserve())
    disks.waits(job, "volume-pending")
    broken, = aws.volumes.creating
    aws.volumes.finish(broken, "error")
    disks.hurry(job)
    another, = eventually("another volume is made", lambda: aws.volumes.creating)
    aws.volumes.finish(another)
    data = disks.outcome(job)
    volume, = disks.volumes()
    assert data["volume_id"] == volume["VolumeId"] != broken


def test_a_second_volume_in_error_ends_the_operation_and_the_disk_stays_held(disks, aws):
    reservation, operation = disks.reserve(), str(uuid.uuid4())
    disks.system.add_disk("alice", "home")
    aws.volumes.hold()
    disks.system.start()
    job = disks.restore(reservation, operation_id=operation)
    for _ in range(2):
        eventually("a volume is made", lambda: disks.hurry(job) or aws.volumes.creating)
        aws.volumes.finish(state="error")
    assert disks.outcome(job)["code"] == "volume-failed"
    assert disks.volumes() == []
    assert disks.row("in_use, reservation_id, ebs_volume_id, operation_id::text, operation_status") == (
        True, reservation, None, operation, "failed")


def test_a_token_whose_volume_is_gone_is_not_used_again(disks, aws):
    reservation = disks.reserve()
    disks.system.add_disk("alice", "home")
    disks.system.start()
    first = disks.outcome(disks.restore(reservation))["volume_id"]
    disks.ec2.delete_volume(VolumeId=first)
    disks.system.rows("UPDATE reservations SET ebs_volume_id = NULL")
    second = disks.outcome(disks.restore(reservation))["volume_id"]
    assert second != first and [each["VolumeId"] for each in disks.volumes()] == [second]


def test_a_volume_that_does_not_show_yet_is_not_made_twice(disks, aws):
    disks.system.add_disk("alice", "home")
    aws.volumes.hold()
    aws.volumes.hide_new(seconds=2)
    disks.system.start()
    job = disks.restore(disks.reserve())
    disks.waits(job, "volume-pending")
    disks.hurry(job)
    aws.volumes.release()
    assert disks.outcome(job)["created"]
    assert len(disks.volumes()) == 1


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "throttle"])
def test_one_volume_though_create_volume_is_not_answered(disks, aws, fault):
    disks.system.add_disk("alice", "home")
    getattr(aws, fault)("CreateVolume")
    disks.system.start()
    data = disks.outcome(disks.restore(disks.reserve()))
    assert [each["VolumeId"] for each in disks.volumes()] == [data["volume_id"]]


def test_who_holds_the_disk_already_gets_it_again_and_nobody_else(disks):
    mine, other = disks.reserve(), disks.reserve()
    disks.system.add_disk("alice", "home")
    disks.system.start()
    first = disks.outcome(disks.restore(mine))
    again = disks.outcome(disks.restore(mine))
    assert (again["volume_id"], again["created"]) == (first["volume_id"], False)
    refused = disks.outcome(disks.restore(other))
    assert (refused["reason"], refused["code"]) == ("rejected", "disk-in-use") and mine in refused["error"]
    assert disks.row("in_use, reservation_id") == (True, mine)
    assert len(disks.volumes()) == 1


@pytest.mark.parametrize(("columns", "status", "code"), [
    (None, "active", "unknown-disk"),
    ({"is_deleted": True, "delete_date": "2099-01-01"}, "active", "disk-deleted"),
    ({"in_use": True}, "active", "disk-in-use"),
    ({}, "cancelled", "reservation-over"),
    ({}, None, "unknown-reservation"),
    ({"last_snapshot_at": "2026-01-01"}, "active", "snapshots-missing"),
])
def test_a_disk_that_cannot_be_had_is_refused(disks, columns, status, code):
    if columns is not None:
        disks.system.add_disk("alice", "home", **columns)
    disks.system.start()
    data = disks.outcome(disks.restore(disks.reserve(status) if status else "r-unknown"))
    assert (data["reason"], data["code"]) == ("rejected", code)
    assert disks.volumes() == []


def test_a_disk_goes_only_to_its_users_own_reservations_and_those_shared_with_them(disks):
    theirs = disks.reserve()
    disks.system.add_disk("bob", "home")
    disks.system.start()
    refused = disks.outcome(disks.restore(theirs, user="bob"))
    assert (refused["reason"], refused["code"]) == ("rejected", "foreign-reservation")
    assert disks.row("in_use, reservation_id") == (False, None) and disks.volumes() == []
    disks.system.rows("UPDATE reservations SET secondary_users = '[\"bob\"]'")
    assert disks.outcome(disks.restore(theirs, user="bob"))["created"]


def test_two_reservations_at_once_get_one_disk_once(disks):
    first, second = disks.reserve(), disks.reserve()
    disks.system.add_disk("alice", "home")
    disks.system.start(2)
    jobs = {reservation: disks.restore(reservation) for reservation in (first, second)}
    results = {reservation: disks.outcome(job) for reservation, job in jobs.items()}
    assert sorted("code" in data for data in results.values()) == [False, True]
    winner = next(reservation for reservation, data in results.items() if "code" not in data)
    assert disks.row("reservation_id") == (winner,)
    assert len(disks.volumes()) == 1


def test_the_operation_is_followed_to_its_end(disks, aws):
    operation = str(uuid.uuid4())
    disks.system.add_disk("alice", "home")
    aws.volumes.hold()
    disks.system.start()
    job = disks.restore(disks.reserve(), operation_id=operation)
    disks.waits(job, "volume-pending")
    assert disks.row("operation_id::text, operation_status") == (operation, "in_progress")
    aws.volumes.release()
    disks.outcome(job)
    assert disks.row("operation_id::text, operation_status, operation_error") == (operation, "completed", None)


def test_a_refusal_of_aws_ends_the_operation(disks, aws):
    disks.system.add_disk("alice", "home")
    aws.fail("CreateVolume", "VolumeLimitExceeded", times=9)
    disks.system.start()
    data = disks.outcome(disks.restore(disks.reserve(), operation_id=str(uuid.uuid4())))
    assert data["code"] == "VolumeLimitExceeded"
    status, error = disks.row("operation_status, operation_error")
    assert status == "failed" and "VolumeLimitExceeded" in error
