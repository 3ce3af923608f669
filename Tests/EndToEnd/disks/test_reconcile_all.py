"""`disk.reconcile-all`: what becomes of rows, volumes and snapshots, as SQL and boto3 see it."""

import contextlib
import datetime
import json
import uuid

import boto3
import psycopg
import pytest

from harness.waiting import eventually

NOTHING = {
    "aws_volumes": 0, "db_records": 0, "synced": 0, "updated": 0, "created": 0, "errors": 0, "volume_id_conflicts": 0,
    "aws_duplicates": 0, "quarantined_volumes": 0, "skipped_duplicates": 0, "unresolved_duplicates": 0,
    "orphaned_db_active": 0, "orphaned_db_deleted": 0, "deleted_disk_volumes": 0, "ignored_volumes": 0,
    "transient_skipped": 0, "cleanup_quarantined_found": 0, "cleanup_deleted": 0, "cleanup_skipped_too_recent": 0,
    "cleanup_waiting_snapshot": 0, "cleanup_snapshots_deleted": 0, "unclear_disks": 0, "unmarked_snapshots": 0, "deferred": 0,
    "skipped_concurrent_run": False,
    "is_partial": False, "dry_run": False,
}
LOCK = 987654321


def ec2():
    return boto3.client("ec2")


def ago(**time: float) -> str:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(**time)
    return then.isoformat(timespec="seconds").replace("+00:00", "Z")


def tag(resource: str, **tags: str) -> None:
    ec2().create_tags(
        Resources=[resource], Tags=[{"Key": key.replace("__", "-"), "Value": value} for key, value in tags.items()])


def tags_of(volume: str) -> dict[str, str]:
    found = ec2().describe_volumes(VolumeIds=[volume])["Volumes"][0]
    return {each["Key"]: each["Value"] for each in found.get("Tags", [])}


def is_quarantined(volume: str) -> bool:
    tags = tags_of(volume)
    assert ("gpu-dev-quarantined" in tags) == ("gpu-dev-quarantine-reason" in tags)
    return "gpu-dev-quarantined" in tags


def exists(volume: str) -> bool:
    return any(each["VolumeId"] == volume for each in ec2().describe_volumes()["Volumes"])


def attach(volume: str, cloud) -> None:
    ec2().attach_volume(VolumeId=volume, InstanceId=cloud.instance, Device=f"/dev/sd{volume[-4:]}")


def snapshot(volume: str, user: str = "alice", disk: str = "home", **tags: str) -> str:
    all_tags = {"gpu-dev-user": user, "disk_name": disk} | {key.replace("__", "-"): tags[key] for key in tags}
    made = ec2().create_snapshot(VolumeId=volume, TagSpecifications=[{
        "ResourceType": "snapshot", "Tags": [{"Key": key, "Value": value} for key, value in all_tags.items()]}])
    return made["SnapshotId"]


def safety_copies(volume: str) -> list[dict]:
    wanted = [{"Name": "tag:original-volume-id", "Values": [volume]}]
    return ec2().describe_snapshots(Filters=wanted)["Snapshots"]


def quarantined(cloud, age: dict[str, float], disk: str = "home") -> str:
    volume = cloud.create_volume("alice", disk)
    tag(volume, gpu__dev__quarantined=ago(**age), gpu__dev__quarantine__reason="as the test wants it")
    return volume


def reconcile(system, seconds: float = 60, **payload) -> dict:
    """Runs the job and returns what it says it has found and done."""
    return system.event(system.publish("disk.reconcile-all", payload), seconds)["data"]


def disk(system, name: str = "home") -> tuple:
    rows = system.rows("SELECT ebs_volume_id, size_gb, in_use FROM disks WHERE disk_name = %s", name)
    return rows[0] if rows else None


def writes(aws) -> list[str]:
    """The calls that change something."""
    return [call.action for call in aws.calls if not call.action.startswith("Describe")]


@contextlib.contextmanager
def locked(system):
    """The lock as the platform's own updater holds it."""
    with psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as connection:
        assert connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,)
        yield connection


# Rows that follow volumes


def test_rows_follow_their_volumes_and_then_rest(on_aws, aws, cloud):
    """Each case of one live volume: same, different, linked, replaced, imported, gone."""
    same, different, linked, replacing, new = (
        cloud.create_volume("alice", name) for name in ("same", "different", "linked", "replaced", "new"))
    for name, volume in (("same", same), ("different", different), ("linked", None),
                         ("replaced", "vol-0123456789abcdef0"), ("gone", "vol-0123456789abcdef1")):
        on_aws.add_disk("alice", name, ebs_volume_id=volume, size_gb=10, in_use=name == "gone")
    on_aws.rows("UPDATE disks SET size_gb = 1 WHERE disk_name = 'different'")
    attach(different, cloud)
    snapshot(different, disk="different")
    on_aws.add_reservation("r-1")
    tag(new, reservation_id="r-1")
    on_aws.start()
    first = reconcile(on_aws)
    assert first == NOTHING | {
        "aws_volumes": 5, "db_records": 5, "synced": 1, "updated": 4, "created": 1, "orphaned_db_active": 1}
    assert on_aws.rows(
        "SELECT disk_name, ebs_volume_id, size_gb, in_use, snapshot_count, last_snapshot_at IS NOT NULL, reservation_id"
        " FROM disks ORDER BY disk_name") == [
            ("different", different, 10, True, 1, True, None), ("gone", "vol-0123456789abcdef1", 10, False, 0, False, None),
            ("linked", linked, 10, False, 0, False, None), ("new", new, 10, False, 0, False, "r-1"),
            ("replaced", replacing, 10, False, 0, False, None), ("same", same, 10, False, 0, False, None)]
    created = ec2().describe_volumes(VolumeIds=[new])["Volumes"][0]["CreateTime"]
    assert on_aws.rows("SELECT created_at, last_used, operation_id FROM disks WHERE disk_name = 'new'") == [
        (created, None, None)]
    at_rest = NOTHING | {
        "aws_volumes": 5, "db_records": 6, "synced": 5, "orphaned_db_active": 1, "unclear_disks": 1}
    assert reconcile(on_aws) == at_rest
    (doubt,), = on_aws.rows("SELECT operation_error FROM disks WHERE disk_name = 'gone'")
    assert doubt.startswith("volume-missing: "), "the row that is free by now says why its data cannot be found"
    before = on_aws.rows("SELECT disk_id, last_updated FROM disks ORDER BY 1")
    assert reconcile(on_aws) == at_rest
    assert on_aws.rows("SELECT disk_id, last_updated FROM disks ORDER BY 1") == before
    assert writes(aws) == []


def test_a_reservation_that_is_not_known_is_not_written_down(system, cloud):
    tag(cloud.create_volume("alice", "home"), reservation_id="r-unknown")
    system.start()
    assert reconcile(system)["created"] == 1
    assert system.rows("SELECT reservation_id FROM disks") == [(None,)]


def test_a_renamed_disk_keeps_its_row_and_its_volume_gets_the_new_name(system, cloud):
    volume = cloud.create_volume("alice", "old")
    system.add_disk("alice", "new", ebs_volume_id=volume, size_gb=10)
    system.start()
    assert reconcile(system) == NOTHING | {"aws_volumes": 1, "db_records": 1, "synced": 1}
    assert system.rows("SELECT disk_name FROM disks") == [("new",)]
    assert tags_of(volume)["disk_name"] == "new"


def test_a_disk_that_is_being_taken_is_not_freed(system, cloud):
    """The holder prepares, or took it a moment ago; then neither, and the disk that nobody is to release is freed."""
    volume = cloud.create_volume("alice", "held")
    system.add_reservation("r-1", "preparing")
    system.add_disk("alice", "held", ebs_volume_id=volume, size_gb=10, in_use=True, reservation_id="r-1")
    system.add_disk("alice", "gone", ebs_volume_id="vol-0123456789abcdef1", in_use=True, reservation_id="r-1")
    system.add_disk(
        "alice", "fresh", ebs_volume_id="vol-0123456789abcdef2", in_use=True,
        last_used=datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=14))
    system.start()
    assert reconcile(system)["updated"] == 0
    assert system.value("SELECT bool_and(in_use) FROM disks") is True
    system.rows("UPDATE reservations SET status = 'expired'")
    system.rows("UPDATE disks SET last_used = now() - interval '16 min'")
    assert reconcile(system)["updated"] == 1
    assert system.rows("SELECT disk_name FROM disks WHERE NOT in_use") == [("fresh",)], "the others are to be released"
    assert system.value("SELECT count(reservation_id) FROM disks") == 2


@pytest.mark.parametrize("state", ["quarantined", "creating", "untagged"])
def test_a_volume_that_is_there_in_some_way_is_not_gone(on_aws, aws, cloud, state):
    """Scenarios: a quarantined volume is not absent, nor is one that is being made, or has lost its tags."""
    if state == "creating":
        aws.volumes.hold()
        volume = boto3.client("ec2", endpoint_url=aws.url).create_volume(
            AvailabilityZone="us-east-2a", Size=10, TagSpecifications=[{"ResourceType": "volume", "Tags": [
                {"Key": "gpu-dev-user", "Value": "alice"}, {"Key": "disk_name", "Value": "home"}]}])["VolumeId"]
    else:
        volume = quarantined(cloud, {"days": 1}) if state == "quarantined" else cloud.create_volume("alice", "home")
    if state == "untagged":
        attach(volume, cloud)
        ec2().delete_tags(Resources=[volume], Tags=[{"Key": "gpu-dev-user"}])
    on_aws.add_disk("alice", "home", ebs_volume_id=volume, size_gb=10, in_use=True)
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["orphaned_db_active"], data["updated"], data["errors"]) == (0, 0, 0)
    assert disk(on_aws) == (volume, 10, True)


def test_a_row_is_not_pointed_away_from_a_volume_that_is_being_made(on_aws, aws, cloud):
    other = cloud.create_volume("alice", "home")
    aws.volumes.hold()
    made = boto3.client("ec2", endpoint_url=aws.url).create_volume(
        AvailabilityZone="us-east-2a", Size=10, TagSpecifications=[{"ResourceType": "volume", "Tags": [
            {"Key": "gpu-dev-user", "Value": "alice"}, {"Key": "disk_name", "Value": "home"}]}])["VolumeId"]
    on_aws.add_disk("alice", "home", ebs_volume_id=made, size_gb=10)
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["volume_id_conflicts"], data["updated"], data["errors"]) == (1, 0, 0)
    assert disk(on_aws)[0] == made and exists(other)


def test_a_soft_deleted_disk_is_not_revived(system, cloud):
    """Scenario: a soft-deleted disk with a volume stays deleted, whether its row names the volume or not."""
    volume = cloud.create_volume("alice", "home")
    cloud.create_volume("alice", "other")
    system.add_disk("alice", "home", ebs_volume_id=volume, size_gb=1, is_deleted=True)
    system.add_disk("alice", "other", is_deleted=True, in_use=True)
    system.add_disk("alice", "gone", ebs_volume_id="vol-0123456789abcdef0", is_deleted=True)
    before = system.rows("SELECT * FROM disks ORDER BY disk_name")
    system.start()
    assert reconcile(system) == NOTHING | {
        "aws_volumes": 2, "db_records": 3, "deleted_disk_volumes": 2, "orphaned_db_deleted": 1}
    assert system.rows("SELECT * FROM disks ORDER BY disk_name") == before


def test_only_a_tag_names_a_disk(system, cloud):
    volume = cloud.create_volume("alice", "home")
    ec2().delete_tags(Resources=[volume], Tags=[{"Key": "disk_name"}])
    tag(volume, Name="gpu-dev-persistent-alice")
    system.start()
    assert reconcile(system) == NOTHING | {"aws_volumes": 1, "ignored_volumes": 1}
    assert system.rows("SELECT * FROM disks") == []


def test_a_disk_that_another_job_holds_is_passed_over(system, cloud):
    volume = cloud.create_volume("alice", "home")
    system.add_disk("alice", "home", ebs_volume_id=volume, size_gb=1)
    system.rows(
        "INSERT INTO job_ledger (job_id, kind, state, holder, exclusive_key, claimed_until)"
        " VALUES (gen_random_uuid(), 'disk.restore', 'running', 1, 'disk:alice/home', now() + interval '1 min')")
    system.start()
    assert reconcile(system) == NOTHING | {"aws_volumes": 1, "db_records": 1, "transient_skipped": 1}
    system.rows("UPDATE job_ledger SET state = 'succeeded' WHERE kind = 'disk.restore'")
    assert reconcile(system)["updated"] == 1


def test_a_row_that_changes_meanwhile_is_left_to_the_next_run(on_aws, aws, cloud):
    """The rows are read, then a reservation takes the disk, then the run would write."""
    on_aws.add_disk("alice", "home", ebs_volume_id="vol-0123456789abcdef0", size_gb=10, in_use=True)
    on_aws.add_disk("alice", "other", ebs_volume_id="vol-0123456789abcdef1", size_gb=10, in_use=True)
    looks = []

    def take() -> None:
        looks.append(1)
        # The second look is for the volumes that the listing lacks, when the rows have been read.
        if len(looks) == 2:
            on_aws.add_reservation("r-9", "preparing")
            on_aws.rows("UPDATE disks SET reservation_id = 'r-9' WHERE disk_name = 'home'")

    aws.after("DescribeVolumes", take)
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["updated"], data["transient_skipped"], data["errors"]) == (1, 1, 0)
    assert on_aws.rows("SELECT disk_name FROM disks WHERE in_use") == [("home",)]


def test_a_row_that_the_database_refuses_does_not_stop_the_others(system, cloud):
    for number in range(5):
        cloud.create_volume("alice", f"disk-{number}")
        system.add_disk("alice", f"disk-{number}", size_gb=1)
    system.rows("ALTER TABLE disks ADD CHECK (disk_name <> 'disk-3' OR size_gb < 5)")
    system.start()
    data = reconcile(system)
    assert (data["updated"], data["errors"]) == (4, 1)
    assert system.rows("SELECT disk_name FROM disks WHERE ebs_volume_id IS NULL") == [("disk-3",)]


def test_of_volumes_that_are_gone_no_more_are_believed_than_one_run_may(system):
    for number in range(11):
        system.add_disk("alice", f"disk-{number}", ebs_volume_id=f"vol-{number:017x}", in_use=True)
    system.start()
    data = reconcile(system)
    assert (data["orphaned_db_active"], data["updated"], data["errors"]) == (11, 10, 0)
    assert system.value("SELECT count(*) FROM disks WHERE in_use") == 1


# One run at a time, and what cannot be read


def test_a_run_beside_the_platforms_own_is_skipped(on_aws, aws, cloud):
    """Scenario: two reconcile at once, one is skipped; and it counts as success."""
    cloud.create_volume("alice", "home")
    on_aws.start()
    with locked(on_aws):
        assert reconcile(on_aws) == NOTHING | {"skipped_concurrent_run": True}
        assert aws.calls == [] and on_aws.rows("SELECT * FROM disks") == []
    assert reconcile(on_aws)["created"] == 1
    with locked(on_aws):
        pass


def test_two_jobs_run_one_after_the_other(on_aws, aws, cloud):
    """Two workers, two jobs: never two runs at once, and neither job is lost."""
    cloud.create_volume("alice", "home")
    aws.hesitate("DescribeVolumes", seconds=1, times=2)
    on_aws.start(2)
    jobs = [on_aws.publish("disk.reconcile-all", {}) for _ in range(2)]
    data = [on_aws.event(job)["data"] for job in jobs]
    assert sorted((each["created"], each["synced"]) for each in data) == [(0, 1), (1, 0)]
    assert [call.action for call in aws.calls] == ["DescribeVolumes", "DescribeSnapshots"] * 2


@pytest.mark.parametrize("moment", ["DescribeSnapshots", "CreateTags"])
def test_a_run_that_loses_its_lock_writes_no_more(on_aws, aws, cloud, moment):
    """Scenario: the lock's connection is killed in the middle of a run; nothing is written after that."""
    for name in ("one", "two"):
        cloud.create_volume("alice", name)
        attach(cloud.create_volume("alice", name), cloud)
        on_aws.add_disk("alice", name)
    thief = psycopg.connect(on_aws.environment["DATABASE_URL"], autocommit=True)

    def kill() -> None:
        if thief.closed or thief.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()[0]:
            return
        thief.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [LOCK])
        assert thief.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,)

    aws.after(moment, kill)
    on_aws.start()
    assert reconcile(on_aws) == NOTHING | {"skipped_concurrent_run": True}
    assert writes(aws) == ["CreateTags"] * (moment == "CreateTags")
    assert on_aws.rows("SELECT DISTINCT ebs_volume_id FROM disks") == [(None,)]
    thief.close()
    aws.restore()
    # What the lost run had begun is brought to the same end.
    data = reconcile(on_aws)
    assert data["errors"] == 0 and data["updated"] == 2
    assert sum(is_quarantined(each["VolumeId"]) for each in ec2().describe_volumes(
        Filters=[{"Name": "tag-key", "Values": ["gpu-dev-user"]}])["Volumes"]) == 2


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InternalError"])
def test_nothing_is_written_if_the_volumes_cannot_be_listed(on_aws, aws, cloud, code):
    """Scenario: the listing fails and no row changes."""
    cloud.create_volume("alice", "new")
    on_aws.add_disk("alice", "home", ebs_volume_id="vol-0123456789abcdef0", size_gb=1, in_use=True)
    before = on_aws.rows("SELECT * FROM disks")
    aws.fail("DescribeVolumes", code, status=403 if code.startswith("Un") else 500, times=10**6)
    on_aws.start()
    job = on_aws.publish("disk.reconcile-all", {})
    eventually("a try has failed", lambda: on_aws.rows("SELECT fate FROM job_attempts WHERE job_id = %s", job))
    assert on_aws.rows("SELECT * FROM disks") == before and writes(aws) == []


def test_a_listing_that_fails_on_its_second_page_changes_nothing(on_aws, aws, cloud):
    volumes = [cloud.create_volume("alice", f"disk-{number}") for number in range(12)]
    for number, volume in enumerate(volumes):
        on_aws.add_disk("alice", f"disk-{number}", ebs_volume_id=volume, size_gb=10, in_use=True)
    aws.pages.hold_at_most(5)
    aws.before("DescribeVolumes", lambda number: None if number == 1 else (400, "<Response/>"))
    on_aws.start()
    job = on_aws.publish("disk.reconcile-all", {})
    eventually("a try has failed", lambda: on_aws.state(job) not in (None, ("running", 0)))
    assert on_aws.value("SELECT bool_and(in_use) FROM disks") is True


def test_nothing_is_imported_if_the_rows_cannot_be_read(on_aws, aws, cloud):
    """Scenario: the rows cannot be read and nothing is imported."""
    cloud.create_volume("alice", "home")
    on_aws.add_disk("alice", "home", size_gb=10, is_deleted=True)
    on_aws.rows("ALTER TABLE disks RENAME COLUMN in_use TO was_in_use")
    on_aws.start()
    job = on_aws.publish("disk.reconcile-all", {})
    eventually("a try has failed", lambda: on_aws.rows("SELECT fate FROM job_attempts WHERE job_id = %s", job))
    assert on_aws.rows("SELECT is_deleted, ebs_volume_id FROM disks") == [(True, None)]
    on_aws.rows("ALTER TABLE disks RENAME COLUMN was_in_use TO in_use")
    data = on_aws.event(job)["data"]
    assert (data["created"], data["deleted_disk_volumes"]) == (0, 1)


# Snapshots


def test_snapshots_are_counted_by_disk_or_by_volume(on_aws, aws, cloud):
    """The disk's snapshots were taken of an earlier volume; the current one has a pending one."""
    earlier = cloud.create_volume("alice", "home")
    for _ in range(3):
        snapshot(earlier)
    snapshot(earlier, delete__date="2031-01-01")
    snapshot(earlier, gpu__dev__quarantine__backup="true")
    ec2().delete_volume(VolumeId=earlier)
    current = cloud.create_volume("alice", "home")
    on_aws.add_disk("alice", "home", ebs_volume_id=current, size_gb=10)
    aws.snapshots.hold()
    boto3.client("ec2", endpoint_url=aws.url).create_snapshot(
        VolumeId=current, TagSpecifications=[{"ResourceType": "snapshot", "Tags": [
            {"Key": "gpu-dev-user", "Value": "alice"}, {"Key": "disk_name", "Value": "home"}]}])
    on_aws.start()
    columns = "SELECT snapshot_count, pending_snapshot_count, is_backing_up, last_snapshot_at IS NULL FROM disks"
    assert reconcile(on_aws, snapshot_count="volume")["updated"] == 1
    assert on_aws.rows(columns) == [(1, 1, True, True)]
    assert reconcile(on_aws, snapshot_count="disk")["updated"] == 1
    assert on_aws.rows(columns) == [(5, 1, True, False)]
    aws.snapshots.finish()
    assert reconcile(on_aws)["updated"] == 1
    assert on_aws.rows(columns) == [(5, 0, False, False)]
    assert reconcile(on_aws)["synced"] == 1


def test_columns_of_snapshots_stay_if_these_cannot_be_read(on_aws, aws, cloud):
    """Scenario: DescribeSnapshots is throttled throughout; the columns stay, one error, the rest goes on."""
    volume = cloud.create_volume("alice", "home")
    seen = datetime.datetime(2025, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    on_aws.add_disk(
        "alice", "home", ebs_volume_id=volume, size_gb=1, snapshot_count=7, is_backing_up=True,
        pending_snapshot_count=1, last_snapshot_at=seen)
    aws.throttle("DescribeSnapshots", times=10**4)
    on_aws.start()
    assert reconcile(on_aws) == NOTHING | {"aws_volumes": 1, "db_records": 1, "updated": 1, "errors": 1}
    assert on_aws.rows(
        "SELECT size_gb, snapshot_count, is_backing_up, pending_snapshot_count, last_snapshot_at FROM disks") == [
            (10, 7, True, 1, seen)]


@pytest.mark.timeout(900)
def test_calls_do_not_grow_with_the_volumes(on_aws, aws, cloud):
    """Scenario: 250 volumes with 900 snapshots; one page of each by disk, two calls for snapshots by volume."""
    volumes = [cloud.create_volume(f"user-{number}", "home") for number in range(250)]
    for number in range(900):
        snapshot(volumes[number % 250], f"user-{number % 250}")
    on_aws.start()
    first = reconcile(on_aws)
    assert first == NOTHING | {"aws_volumes": 250, "created": 250}
    assert aws.meant == ["DescribeVolumes", "DescribeSnapshots"]
    assert on_aws.rows("SELECT snapshot_count, count(*) FROM disks GROUP BY 1 ORDER BY 1") == [(3, 100), (4, 150)]
    aws.calls.clear()
    second = reconcile(on_aws, snapshot_count="volume")
    assert second == NOTHING | {"aws_volumes": 250, "db_records": 250, "synced": 250}
    assert aws.meant == ["DescribeVolumes", *["DescribeSnapshots"] * 3]
    # In small pages, the first of them empty, it is all the same.
    aws.pages.hold_at_most(100)
    aws.pages.begin_empty(2)
    assert reconcile(on_aws) == second


# Two or more live volumes of one disk


@pytest.mark.parametrize("named", ["first", "second", "other", None])
@pytest.mark.parametrize("attached", [0, 1, 2])
def test_one_of_three_volumes_stays(system, cloud, attached, named):
    """Scenario: 0, 1 or 2 attached; the row names one of them, another one, or none."""
    first, second, third = sorted(cloud.create_volume("alice", "home") for _ in range(3))
    for volume in (second, third)[:attached]:
        attach(volume, cloud)
    row = {"first": first, "second": second, "other": "vol-0123456789abcdef0", None: None}[named]
    system.add_disk("alice", "home", ebs_volume_id=row, size_gb=10)
    system.start()
    data = reconcile(system)
    everything = {"aws_volumes": 3, "db_records": 1, "aws_duplicates": 1}
    if attached == 2:
        assert data == NOTHING | everything | {"unresolved_duplicates": 1, "errors": 1}
        assert not any(map(is_quarantined, (first, second, third))) and disk(system)[0] == row
        return
    created = {
        each["VolumeId"]: each["CreateTime"]
        for each in ec2().describe_volumes(VolumeIds=[first, second, third])["Volumes"]}
    greatest = max(created, key=lambda volume: (created[volume], volume))
    current = second if attached else {"first": first, "second": second}.get(named, greatest)
    is_right = current == row and not attached
    assert data == NOTHING | everything | {
        "quarantined_volumes": 2, "skipped_duplicates": 2, "synced": int(is_right), "updated": int(not is_right)}
    assert disk(system) == (current, 10, attached == 1)
    others = {first, second, third} - {current}
    assert not is_quarantined(current)
    for volume in others:
        tags = tags_of(volume)
        since = datetime.datetime.fromisoformat(tags["gpu-dev-quarantined"])
        assert abs(datetime.datetime.now(datetime.UTC) - since) < datetime.timedelta(minutes=2)
        assert all(word in tags["gpu-dev-quarantine-reason"] for word in ("home", "alice", current))
    again = reconcile(system)
    assert again == NOTHING | {
        "aws_volumes": 3, "db_records": 1, "synced": 1, "cleanup_quarantined_found": 2, "cleanup_skipped_too_recent": 2}


def test_the_current_one_of_two_volumes_becomes_a_row(system, cloud):
    small, large = cloud.create_volume("alice", "home"), cloud.create_volume("alice", "home")
    ec2().modify_volume(VolumeId=large, Size=20)
    system.start()
    data = reconcile(system)
    assert (data["created"], data["quarantined_volumes"], data["errors"]) == (1, 1, 0)
    assert disk(system) == (large, 20, False) and is_quarantined(small)


def test_a_detaching_volume_counts_as_attached(on_aws, aws, cloud):
    """Scenario: the volume that comes off is still in use, whatever the row says."""
    leaving, other = cloud.create_volume("alice", "home"), cloud.create_volume("alice", "home")
    attach(leaving, cloud)
    on_aws.add_disk("alice", "home", ebs_volume_id=other, size_gb=10)
    aws.volumes.hold_detaching()
    boto3.client("ec2", endpoint_url=aws.url).detach_volume(VolumeId=leaving)
    on_aws.start()
    assert reconcile(on_aws)["quarantined_volumes"] == 1
    assert disk(on_aws) == (leaving, 10, True)
    assert is_quarantined(other) and not is_quarantined(leaving)


def test_a_volume_that_is_attached_meanwhile_is_not_touched(on_aws, aws, cloud):
    """Scenario: attached between the listing and the tag."""
    first, second = cloud.create_volume("alice", "home"), cloud.create_volume("alice", "home")
    on_aws.add_disk("alice", "home", ebs_volume_id=first, size_gb=10)
    looks = []

    def after_listing() -> None:
        looks.append(1)
        if len(looks) == 1:
            attach(second, cloud)

    aws.after("DescribeVolumes", after_listing)
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["unresolved_duplicates"], data["errors"], data["quarantined_volumes"]) == (1, 1, 0)
    assert not is_quarantined(first) and not is_quarantined(second)
    assert disk(on_aws)[0] == first and writes(aws) == []


def test_nothing_is_tagged_if_the_second_look_fails(on_aws, aws, cloud):
    volumes = [cloud.create_volume("alice", "home") for _ in range(2)]
    on_aws.add_disk("alice", "home", ebs_volume_id=volumes[0], size_gb=10)
    aws.before("DescribeVolumes", lambda number: None if number == 1 else (400, "<Response/>"))
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["unresolved_duplicates"], data["errors"]) == (1, 1)
    assert not any(map(is_quarantined, volumes))


def test_tags_that_were_not_all_set_are_taken_back(on_aws, aws, cloud):
    """Scenario: of three to tag the second fails; the first is untagged again."""
    volumes = [cloud.create_volume("alice", "home") for _ in range(4)]
    on_aws.add_disk("alice", "home", ebs_volume_id=volumes[0], size_gb=1)

    def tag_one_and_fail(_: int) -> tuple[int, str]:
        tag(volumes[1], gpu__dev__quarantined=ago(), gpu__dev__quarantine__reason="half done")
        return 400, (
            "<Response><Errors><Error><Code>InvalidVolume.NotFound</Code><Message>no</Message></Error></Errors>"
            "<RequestID>r</RequestID></Response>")

    aws.before("CreateTags", tag_one_and_fail)
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["unresolved_duplicates"], data["errors"], data["quarantined_volumes"]) == (1, 1, 0)
    assert not any(map(is_quarantined, volumes))
    assert disk(on_aws) == (volumes[0], 1, False)


def test_a_throttled_tag_is_tried_again(on_aws, aws, cloud):
    volumes = [cloud.create_volume("alice", "home") for _ in range(2)]
    on_aws.add_disk("alice", "home", ebs_volume_id=volumes[0], size_gb=10)
    aws.throttle("CreateTags", times=2)
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["quarantined_volumes"], data["errors"]) == (1, 0)
    assert is_quarantined(volumes[1])


@pytest.mark.parametrize("reason", ["changed", "refused"])
def test_tags_are_taken_back_if_the_row_cannot_be_written(on_aws, aws, cloud, reason):
    """Scenario: the update of the row fails; no volume stays tagged."""
    volumes = [cloud.create_volume("alice", "home") for _ in range(3)]
    on_aws.add_disk("alice", "home", size_gb=10)
    if reason == "refused":
        on_aws.rows(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'as the test wants it'; END $$")
        on_aws.rows("CREATE TRIGGER refuse BEFORE UPDATE ON disks FOR EACH ROW EXECUTE FUNCTION refuse()")
    else:
        aws.after("CreateTags", lambda: on_aws.rows("UPDATE disks SET in_use = true"))
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["unresolved_duplicates"], data["errors"], data["quarantined_volumes"]) == (1, 1, 0)
    assert not any(map(is_quarantined, volumes))
    assert disk(on_aws)[0] is None
    assert writes(aws) == ["CreateTags", "DeleteTags"]


def test_a_worker_that_dies_after_the_tags_leaves_what_the_next_run_ends(on_aws, aws, cloud):
    """Tags are set, then the worker is killed: the row follows the one volume that is left to see."""
    first, second = cloud.create_volume("alice", "home"), cloud.create_volume("alice", "home")
    attach(second, cloud)
    on_aws.add_disk("alice", "home", ebs_volume_id=first, size_gb=10)
    aws.after("CreateTags", lambda: [replica.kill() for replica in on_aws.replicas])
    on_aws.start()
    job = on_aws.publish("disk.reconcile-all", {})
    eventually("the worker is dead", lambda: not on_aws.replicas[0].is_alive)
    aws.restore()
    assert is_quarantined(first) and disk(on_aws)[0] == first
    on_aws.start_doomed()
    assert on_aws.event(job, 60)["data"]["updated"] == 1
    assert disk(on_aws) == (second, 10, True)
    assert is_quarantined(first) and not is_quarantined(second)


def test_permission_that_lacks_is_reported_once(on_aws, aws, cloud):
    for name in ("one", "two", "three"):
        for _ in range(2):
            cloud.create_volume("alice", name)
    aws.permissions.forbid("ec2:CreateTags")
    on_aws.start()
    data = reconcile(on_aws)
    assert (data["unresolved_duplicates"], data["errors"]) == (3, 1)
    assert aws.meant.count("CreateTags") == 1


def test_a_run_stops_in_time_and_the_next_one_goes_on(on_aws, aws, cloud):
    """The listing takes so long that there is no time to tag; what only needs rows is done."""
    volumes = [cloud.create_volume("alice", "home") for _ in range(2)]
    on_aws.add_disk("alice", "home", ebs_volume_id=volumes[0], size_gb=10)
    cloud.create_volume("alice", "new")
    aws.hesitate("DescribeVolumes", seconds=4)
    on_aws.start(GPUDEV_RECONCILE_DEADLINE="18")
    data = reconcile(on_aws)
    assert (data["is_partial"], data["created"], data["quarantined_volumes"], data["errors"]) == (True, 1, 0, 0)
    assert not any(map(is_quarantined, volumes)) and writes(aws) == []
    data = reconcile(on_aws)
    assert (data["is_partial"], data["quarantined_volumes"]) == (False, 1)


# Quarantine


@pytest.mark.parametrize(("age", "is_over"), [({"days": 29, "hours": 23}, False), ({"days": 30, "seconds": 1}, True)])
def test_quarantine_lasts_thirty_days(system, cloud, age, is_over):
    """Scenario: 29 days and 23 hours, 30 days and a second."""
    volume = quarantined(cloud, age)
    system.start()
    data = reconcile(system)
    assert data == NOTHING | {
        "aws_volumes": 1, "cleanup_quarantined_found": 1, "cleanup_skipped_too_recent": int(not is_over),
        "cleanup_waiting_snapshot": int(is_over)}
    assert exists(volume) and len(safety_copies(volume)) == is_over


@pytest.mark.parametrize("fault", ["bad date", "attached"])
def test_a_volume_that_contradicts_its_quarantine_is_an_error(system, cloud, fault):
    """Scenario: the date cannot be read; the volume is attached."""
    volume = quarantined(cloud, {"days": 40})
    if fault == "attached":
        attach(volume, cloud)
    else:
        tag(volume, gpu__dev__quarantined="a while ago")
    system.start()
    assert reconcile(system) == NOTHING | {"aws_volumes": 1, "cleanup_quarantined_found": 1, "errors": 1}
    assert exists(volume) and safety_copies(volume) == []


def test_a_volume_is_deleted_when_its_safety_snapshot_is_complete_and_not_before(on_aws, aws, cloud):
    """Scenario: the safety snapshot is pending, the volume stays; complete, and it goes."""
    volume = quarantined(cloud, {"days": 31})
    aws.snapshots.hold()
    on_aws.start()
    found = NOTHING | {"aws_volumes": 1, "cleanup_quarantined_found": 1}
    for _ in range(3):
        assert reconcile(on_aws) == found | {"cleanup_waiting_snapshot": 1}
    (copy,) = safety_copies(volume)
    tags = {each["Key"]: each["Value"] for each in copy["Tags"]}
    assert tags.items() >= {
        "gpu-dev-quarantine-backup": "true", "original-volume-id": volume, "retention-days": "90",
        "quarantine-timestamp": tags_of(volume)["gpu-dev-quarantined"], "disk-name": "home", "gpu-dev-user": "alice",
    }.items()
    datetime.datetime.fromisoformat(tags["quarantine-deletion-date"])
    assert "alice" in copy["Description"] and "home" in copy["Description"]
    assert exists(volume)
    aws.snapshots.finish()
    assert reconcile(on_aws) == found | {"cleanup_deleted": 1}
    assert not exists(volume) and len(safety_copies(volume)) == 1
    assert reconcile(on_aws) == NOTHING


def test_a_volume_that_vanishes_before_it_is_deleted_counts(on_aws, aws, cloud):
    """Scenario: InvalidVolume.NotFound counts as deleted."""
    volume = quarantined(cloud, {"days": 31})
    on_aws.start()
    assert reconcile(on_aws)["cleanup_waiting_snapshot"] == 1
    aws.before("DeleteVolume", lambda _: ec2().delete_volume(VolumeId=volume) and None)
    assert reconcile(on_aws)["cleanup_deleted"] == 1
    assert not exists(volume)


@pytest.mark.parametrize("event", ["untagged", "attached", "named"])
def test_a_volume_that_comes_back_into_use_is_not_deleted(on_aws, aws, cloud, event):
    """Scenario: the tag is removed after the listing; or the volume is attached, or a row names it."""
    volume = quarantined(cloud, {"days": 31})
    on_aws.start()
    assert reconcile(on_aws)["cleanup_waiting_snapshot"] == 1
    looks = []

    def after_listing() -> None:
        looks.append(1)
        if len(looks) != 1:
            return
        if event == "untagged":
            ec2().delete_tags(Resources=[volume], Tags=[{"Key": "gpu-dev-quarantined"}])
        elif event == "attached":
            attach(volume, cloud)
        else:
            on_aws.add_disk("bob", "rescued", ebs_volume_id=volume)

    aws.after("DescribeVolumes", after_listing)
    data = reconcile(on_aws)
    assert (data["cleanup_deleted"], data["errors"]) == (0, int(event != "untagged"))
    assert exists(volume) and aws.count("DeleteVolume") == 0


def test_no_safety_snapshot_is_begun_where_too_many_are_under_way(on_aws, aws, cloud):
    volume = quarantined(cloud, {"days": 31})
    aws.fail("CreateSnapshot", "ConcurrentSnapshotLimitExceeded")
    on_aws.start()
    assert reconcile(on_aws) == NOTHING | {
        "aws_volumes": 1, "cleanup_quarantined_found": 1, "cleanup_waiting_snapshot": 1}
    assert safety_copies(volume) == []
    reconcile(on_aws)
    assert len(safety_copies(volume)) == 1


def test_a_user_is_reminded_once_for_each_level(system, cloud):
    """The log is what a user is told by."""
    volume = quarantined(cloud, {"days": 24})
    system.start()
    log = system.replicas[0].log

    def reminded(*levels: str) -> bool:
        lines = [json.loads(line) for line in log.read_text().splitlines() if "will be deleted soon" in line]
        return [str(next(line[key] for key in line if "days-left" in key)) for line in lines] == list(levels)

    def is_reminded(*levels: str) -> None:
        reconcile(system)
        eventually(f"the log tells of {levels}", lambda: reminded(*levels), 5)

    is_reminded("7")
    is_reminded("7")
    assert tags_of(volume)["gpu-dev-quarantine-reminded"] == "7"
    tag(volume, gpu__dev__quarantined=ago(days=29, hours=1))
    is_reminded("7", "1")
    is_reminded("7", "1")


def test_a_safety_snapshot_goes_after_ninety_days(on_aws, aws, cloud):
    volume = cloud.create_volume("alice", "home")
    copies = {
        days: snapshot(
            volume, gpu__dev__quarantine__backup="true", original__volume__id=volume, retention__days="90",
            quarantine__deletion__date=ago(days=days))
        for days in (89, 91, 92)}
    on_aws.start()
    assert reconcile(on_aws)["cleanup_snapshots_deleted"] == 0
    ec2().delete_volume(VolumeId=volume)
    aws.snapshots.protect(copies[92])
    data = reconcile(on_aws)
    assert (data["cleanup_snapshots_deleted"], data["errors"]) == (1, 0)
    left = {each["SnapshotId"] for each in safety_copies(volume)}
    assert left == {copies[89], copies[92]}


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(on_aws, aws, cloud):
    first = cloud.create_volume("alice", "home")
    cloud.create_volume("alice", "home")
    cloud.create_volume("alice", "new")
    on_aws.add_disk("alice", "home", ebs_volume_id=first, size_gb=1)
    on_aws.add_disk("alice", "gone", ebs_volume_id="vol-0123456789abcdef0", in_use=True)
    old = quarantined(cloud, {"days": 31}, "old")
    copied = quarantined(cloud, {"days": 31}, "copied")
    snapshot(copied, gpu__dev__quarantine__backup="true", original__volume__id=copied)
    before = on_aws.rows("SELECT * FROM disks ORDER BY disk_name")
    on_aws.start()
    expected = NOTHING | {
        "aws_volumes": 5, "db_records": 2, "updated": 2, "created": 1, "aws_duplicates": 1, "quarantined_volumes": 1,
        "skipped_duplicates": 1, "orphaned_db_active": 1, "cleanup_quarantined_found": 2, "cleanup_deleted": 1,
        "cleanup_waiting_snapshot": 1}
    assert reconcile(on_aws, dry_run=True) == expected | {"dry_run": True}
    assert on_aws.rows("SELECT * FROM disks ORDER BY disk_name") == before and writes(aws) == []
    assert reconcile(on_aws) == expected
    assert exists(old) and not exists(copied)


def test_a_payload_that_is_wrong_is_refused(system):
    system.start()
    job = system.publish("disk.reconcile-all", {"snapshot_count": "user", "dry_run": "yes"}, str(uuid.uuid4()), checked=False)
    data = system.event(job)["data"]
    assert data["reason"] == "invalid-payload"
    assert "snapshot_count" in data["error"] and "dry_run" in data["error"]
