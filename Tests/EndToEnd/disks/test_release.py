"""disk.release: a disk is freed by its holder, when its data is safe in a snapshot, and not a moment sooner."""

import signal
import threading
import uuid

import pytest

from harness.disks import Disks
from harness.waiting import eventually

FREE = (False, None, None)
HOLD = "in_use, reservation_id, ebs_volume_id"


def attach(disks: Disks, volume: str) -> None:
    disks.ec2.attach_volume(VolumeId=volume, InstanceId=disks.cloud.instance, Device="/dev/xvdf")


def test_the_data_goes_into_a_snapshot_and_the_volume_away(disks, aws):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation, last_used="2026-01-02T03:04:05Z")
    aws.snapshots.hold()
    disks.system.start()
    job = disks.release(
        reservation, snapshot_type="cancellation", content_s3_uri="s3://bucket/key", disk_size="1.2G")
    disks.waits(job, "snapshot-pending")
    assert disks.row(HOLD + ", is_backing_up, pending_snapshot_count, snapshot_count") == (
        True, reservation, volume, True, 1, 1)
    assert len(disks.volumes()) == 1
    aws.snapshots.finish()
    data = disks.outcome(job)
    snapshot, = disks.snapshots()
    assert data == {
        "user_id": "alice", "disk_name": "home", "reservation_id": reservation,
        "snapshot_id": snapshot["SnapshotId"], "volume_id": volume, "released": True, "dry_run": False}
    assert disks.volumes() == [] and snapshot["VolumeId"] == volume
    assert disks.tags(snapshot["SnapshotId"]).items() >= {
        "gpu-dev-user": "alice", "disk_name": "home", "SnapshotType": "cancellation",
        "snapshot_content_s3": "s3://bucket/key", "disk_size": "1.2G", "gpu-dev-operation": job}.items()
    assert disks.row(HOLD) == FREE
    assert disks.row(
        "is_backing_up, pending_snapshot_count, snapshot_count, last_snapshot_at, latest_snapshot_content_s3, disk_size,"
        " last_used = '2026-01-02T03:04:05Z'") == (
        False, 0, 1, snapshot["StartTime"], "s3://bucket/key", "1.2G", True)


def test_nothing_is_begun_while_the_volume_is_attached(disks, aws):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    attach(disks, volume)
    aws.volumes.hold_detaching()
    disks.system.start()
    job = disks.release(reservation)
    disks.waits(job, "volume-in-use")
    disks.system.rows("UPDATE job_ledger SET waiting_since = now() - interval '9 min'")
    seen = aws.count("DescribeVolumes")
    disks.hurry(job)
    eventually("the job has looked again", lambda: aws.count("DescribeVolumes") > seen)
    disks.waits(job, "volume-in-use")
    assert aws.count("DetachVolume") == 0
    disks.system.rows("UPDATE job_ledger SET waiting_since = now() - interval '11 min'")
    disks.hurry(job)
    eventually("the volume is taken off", lambda: aws.volumes.detaching == [volume])
    detaching, = (call for call in aws.calls if call.action == "DetachVolume")
    assert "Force" not in detaching.parameters, "the machine still runs"
    disks.waits(job, "volume-in-use")
    assert disks.snapshots() == []
    aws.volumes.detach(volume)
    assert disks.outcome(job)["released"] is True
    assert disks.volumes() == [] and len(disks.snapshots()) == 1


def test_a_volume_is_torn_off_a_machine_that_is_terminated(disks, aws):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    attach(disks, volume)
    aws.volumes.hold_detaching()
    described = (
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet>'
        f"<item><instanceId>{disks.cloud.instance}</instanceId><instanceState><code>48</code><name>terminated</name>"
        "</instanceState></item></instancesSet></item></reservationSet></DescribeInstancesResponse>")
    aws.before("DescribeInstances", lambda _: (200, described))
    disks.system.start()
    job = disks.release(reservation)
    disks.waits(job, "volume-in-use")
    disks.system.rows("UPDATE job_ledger SET waiting_since = now() - interval '11 min'")
    disks.hurry(job)
    eventually("the volume is taken off", lambda: aws.volumes.detaching == [volume])
    detaching, = (call for call in aws.calls if call.action == "DetachVolume")
    assert detaching.parameters["Force"] == "true"


@pytest.mark.parametrize("holder", ["another", None])
def test_who_does_not_hold_the_disk_changes_nothing(disks, holder):
    mine, other = disks.reserve("cancelled"), disks.reserve()
    volume = disks.held(other)
    if holder is None:
        disks.system.rows("UPDATE disks SET in_use = false, reservation_id = NULL")
    before = disks.row("*")
    disks.system.start()
    data = disks.outcome(disks.release(mine))
    assert (data["released"], data["snapshot_id"], data["volume_id"]) == (False, None, None)
    assert disks.row("*") == before
    assert [each["VolumeId"] for each in disks.volumes()] == [volume] and disks.snapshots() == []


def test_a_disk_that_was_taken_by_another_meanwhile_stays_with_that_one(disks, aws):
    mine, other = disks.reserve("cancelled"), disks.reserve()
    volume = disks.held(mine)
    aws.snapshots.hold()
    disks.system.start()
    job = disks.release(mine)
    disks.waits(job, "snapshot-pending")
    disks.system.rows("UPDATE disks SET reservation_id = %s", other)
    aws.snapshots.finish()
    assert disks.outcome(job)["released"] is False
    assert disks.row(HOLD) == (True, other, volume)
    assert len(disks.volumes()) == 1


def test_a_volume_that_was_given_to_another_reservation_is_not_deleted(disks, aws):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    disks.system.start()
    aws.snapshots.hold()
    job = disks.release(reservation)
    disks.waits(job, "snapshot-pending")
    disks.ec2.create_tags(Resources=[volume], Tags=[{"Key": "reservation_id", "Value": "another"}])
    aws.snapshots.finish()
    assert disks.outcome(job)["code"] == "foreign-volume"
    assert len(disks.volumes()) == 1 and disks.row(HOLD) == (True, reservation, volume)


def test_three_snapshots_in_error_leave_the_disk_held(disks, aws):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    aws.snapshots.hold()
    disks.system.start()
    job = disks.release(reservation)
    for number in (1, 2, 3):
        eventually("a snapshot is begun", lambda number=number: disks.hurry(job) or len(disks.snapshots()) == number)
        aws.snapshots.finish(state="error")
    data = disks.outcome(job)
    assert (data["reason"], data["code"]) == ("rejected", "snapshot-failed")
    assert disks.row(HOLD) == (True, reservation, volume)
    assert len(disks.snapshots()) == 3 and len(disks.volumes()) == 1


def test_after_one_snapshot_in_error_another_one_will_do(disks, aws):
    reservation = disks.reserve("expired")
    disks.held(reservation)
    aws.snapshots.hold()
    disks.system.start()
    job = disks.release(reservation)
    disks.waits(job, "snapshot-pending")
    aws.snapshots.finish(state="error")
    eventually("another is begun", lambda: disks.hurry(job) or aws.snapshots.pending)
    aws.snapshots.finish(aws.snapshots.pending[0])
    assert disks.outcome(job)["released"] is True
    assert disks.row(HOLD) == FREE and disks.row("snapshot_count") == (1,)


def test_without_a_volume_a_good_snapshot_frees_the_disk(disks):
    reservation = disks.reserve("expired")
    disks.system.add_disk(
        "alice", "home", in_use=True, reservation_id=reservation, ebs_volume_id="vol-0123456789abcdef0",
        last_used="2026-01-02T03:04:05Z")
    disks.snapshot()
    disks.system.start()
    data = disks.outcome(disks.release(reservation))
    assert (data["released"], data["volume_id"]) == (True, None)
    assert disks.row(HOLD) == FREE


def test_a_disk_that_never_had_data_is_freed(disks):
    reservation = disks.reserve("cancelled")
    disks.system.add_disk("alice", "home", in_use=True, reservation_id=reservation)
    disks.system.start()
    assert disks.outcome(disks.release(reservation))["released"] is True
    assert disks.row(HOLD) == FREE


@pytest.mark.parametrize("columns", [
    {"ebs_volume_id": "vol-0123456789abcdef0"}, {"last_snapshot_at": "2026-01-02T03:04:05Z"}])
def test_a_disk_whose_data_cannot_be_found_stays_held(disks, columns):
    reservation = disks.reserve("expired")
    disks.system.add_disk("alice", "home", in_use=True, reservation_id=reservation, **columns)
    disks.system.start()
    assert disks.outcome(disks.release(reservation))["code"] == "no-snapshot"
    assert disks.row("in_use, reservation_id") == (True, reservation)


@pytest.mark.parametrize("action", ["DescribeVolumes", "DescribeSnapshots"])
def test_what_cannot_be_read_is_not_taken_for_absent(disks, aws, action):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    aws.refuse(action, 500, "InternalError")
    disks.system.start(WORKER_MAX_ATTEMPTS="2")
    data = disks.outcome(disks.release(reservation), seconds=60)
    assert (data["reason"], data["code"]) == ("exhausted", "InternalError")
    assert disks.row(HOLD) == (True, reservation, volume)
    assert len(disks.volumes()) == 1


@pytest.mark.parametrize("setting", ["payload", "worker"])
def test_a_dry_run_only_tells(disks, aws, setting):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    before = disks.row("*")
    disks.system.start(**({"DRY_RUN": "true"} if setting == "worker" else {}))
    data = disks.outcome(disks.release(reservation, **({"dry_run": True} if setting == "payload" else {})))
    assert (data["released"], data["volume_id"], data["dry_run"]) == (True, volume, True)
    assert disks.row("*") == before
    assert {call.action for call in aws.calls} <= {"DescribeVolumes", "DescribeSnapshots"}


# A worker that dies: after each step of the job the next one ends in the same state, with one snapshot.

def released(disks: Disks, job: str, volume: str) -> None:
    data = disks.outcome(job, seconds=60)
    snapshot, = disks.snapshots()
    assert (data["snapshot_id"], data["volume_id"], data["released"]) == (snapshot["SnapshotId"], volume, True)
    assert disks.volumes() == []
    assert disks.row(HOLD) == FREE
    assert disks.row("snapshot_count, is_backing_up, last_snapshot_at") == (1, False, snapshot["StartTime"])
    assert disks.system.state(job)[0] == "succeeded"


@pytest.mark.parametrize("action", ["CreateSnapshot", "DeleteVolume"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_death_at_a_call_to_aws_changes_nothing_of_the_outcome(disks, aws, moment, action):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    struck = threading.Event()

    def kill(*_) -> None:
        if not struck.is_set():
            struck.set()
            disks.system.replicas[0].kill()

    getattr(aws, moment)(action, kill)
    job = disks.release(reservation)
    disks.system.start_doomed()
    eventually("the worker was killed", lambda: disks.hurry(job) or not disks.system.replicas[0].is_alive)
    disks.system.start()
    released(disks, job, volume)


@pytest.mark.parametrize("point", ["claimed", "acted", "committing", "committed"])
@pytest.mark.parametrize("turn", [1, 2])
def test_death_between_the_steps_changes_nothing_of_the_outcome(disks, point, turn):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    job = disks.release(reservation)
    replica = disks.system.start_doomed(GPUDEV_KILL_AT=f"{point}:{turn}")
    eventually("the worker is dead", lambda: disks.hurry(job) or not replica.is_alive)
    assert replica.process.wait() == -signal.SIGKILL
    disks.system.start()
    released(disks, job, volume)


def test_ten_messages_to_two_workers_release_once(disks):
    reservation = disks.reserve("expired")
    volume = disks.held(reservation)
    disks.system.start(2)
    job = str(uuid.uuid4())
    for _ in range(10):
        disks.release(reservation, job=job)
    released(disks, job, volume)
