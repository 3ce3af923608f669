"""Each kind of job, from the message to what AWS, PostgreSQL and the event say."""

import uuid

import boto3
import pytest

from harness.waiting import eventually

EXPIRY = "2031-02-03T04:05:06Z"


def new_reservation(system) -> str:
    reservation = str(uuid.uuid4())
    system.add_reservation(reservation)
    return reservation


def map_dns(reservation: str, **more) -> dict:
    return {"reservation_id": reservation, "node_ip": "10.0.1.7", "node_port": 30022, "expires_at": EXPIRY} | more


def create_target_group(reservation: str, cloud, **more) -> dict:
    return {
        "reservation_id": reservation, "domain_name": "alice-training", "pod_name": f"gpu-dev-{reservation[:8]}",
        "instance_id": cloud.instance, "jupyter_port": 30888, "expires_at": EXPIRY} | more


def test_a_disk_is_created_once_for_ten_messages(system):
    system.start(2)
    job = str(uuid.uuid4())
    for _ in range(10):
        system.publish("disk.create", {"user_id": "alice", "disk_name": "home", "size_gb": 20}, job)
    event = system.event(job)
    assert event["id"] == f"{job}.completed" and event["subject"] == "disk/alice/home"
    assert system.rows("SELECT disk_id::text, size_gb, in_use FROM disks") == [(event["data"]["disk_id"], 20, False)]
    eventually("all messages are done with", lambda: system.depth("disks") == 0)
    assert system.state(job) == ("succeeded", 1)
    assert {event["id"] for event in system.events()} == {f"{job}.completed"}


def test_an_event_carries_correlation_and_trace(system):
    system.start()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    job = system.publish(
        "disk.create", {"user_id": "a/b%c", "disk_name": "home"}, correlation_id="order-7",
        headers={"traceparent": trace})
    event = system.event(job)
    assert event["subject"] == "disk/a%2Fb%25c/home"
    assert event["traceparent"] == trace


def test_a_snapshot_is_taken_once_for_ten_messages_to_two_workers(system, cloud):
    volume = cloud.create_volume("alice", "home")
    system.add_disk("alice", "home", ebs_volume_id=volume)
    system.start(2)
    job = str(uuid.uuid4())
    for _ in range(10):
        system.publish(
            "disk.create-snapshot",
            {"user_id": "alice", "disk_name": "home", "content_s3_uri": "s3://bucket/key", "disk_size": "1.2G"}, job)
    event = system.event(job)
    eventually("all messages are done with", lambda: not system.rows("SELECT FROM outbox") and not system.depth("disks"))
    assert cloud.snapshots_of(job) == [volume]
    snapshot = boto3.client("ec2").describe_snapshots(SnapshotIds=[event["data"]["snapshot_id"]])["Snapshots"][0]
    tags = {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]}
    assert tags.items() >= {
        "gpu-dev-user": "alice", "disk_name": "home", "SnapshotType": "shutdown", "gpu-dev-snapshot-type": "shutdown",
        "snapshot_content_s3": "s3://bucket/key", "disk_size": "1.2G", "gpu-dev-operation": job}.items()
    assert snapshot["Description"] == "gpu-dev shutdown snapshot for alice (disk: home) (1.2G)"
    assert event["data"]["created"] is True
    assert system.rows("SELECT snapshot_count, is_backing_up FROM disks") == [(1, False)]
    assert system.state(job) == ("succeeded", 1)
    assert {event["id"] for event in system.events()} == {f"{job}.completed"}


def pending_snapshot(volume: str, begun: str) -> str:
    """What EC2 says of a snapshot that somebody else has begun (API reference, DescribeSnapshots)."""
    return (
        '<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
        f"<snapshotSet><item><snapshotId>snap-0123456789abcdef0</snapshotId><volumeId>{volume}</volumeId>"
        f"<status>pending</status><startTime>{begun}</startTime><progress>7%</progress><ownerId>1</ownerId>"
        "<volumeSize>10</volumeSize><description/></item></snapshotSet></DescribeSnapshotsResponse>")


def disk_of_ended_reservation(system, cloud) -> str:
    volume = cloud.create_volume("alice", "home")
    system.add_reservation("r-1", "expired")
    system.rows("UPDATE reservations SET reservation_ended = '2025-01-02T12:00:00Z'")
    system.add_disk("alice", "home", ebs_volume_id=volume, reservation_id="r-1")
    return volume


@pytest.mark.parametrize("begun", ["2025-01-02T11:59:59.000Z", "2025-01-02T12:00:01.000Z"], ids=["before", "after"])
def test_a_pending_snapshot_of_somebody_else_is_waited_for(proxied, proxy, cloud, begun):
    """Begun before or after the reservation ended: the volume may have been written to until it was detached."""
    volume = disk_of_ended_reservation(proxied, cloud)
    pending = (200, pending_snapshot(volume, begun))
    # The first attempt asks twice: where the newest data is, and whether a snapshot of it is on its way.
    proxy.before("DescribeSnapshots", lambda number: pending if number <= 2 else None)
    proxied.start()
    job = proxied.publish("disk.create-snapshot", {"user_id": "alice", "disk_name": "home"})
    eventually("the job waits", lambda: proxied.state(job) == ("waiting", 0))
    proxied.rows("UPDATE outbox SET available_at = now()")
    assert proxied.event(job)["data"]["created"] is True
    assert cloud.snapshots_of(job) == [volume]


def test_a_volume_is_brought_into_the_tables_and_followed(system, cloud):
    volume = cloud.create_volume("alice", "home")
    system.start()

    def reconcile() -> dict:
        job = system.publish("disk.reconcile-volume", {"volume_id": volume})
        return system.event(job)["data"]

    first = reconcile()
    assert (first["outcome"], first["user_id"], first["disk_name"]) == ("created", "alice", "home")
    assert reconcile()["outcome"] == "synced"
    system.rows("UPDATE disks SET size_gb = 1, in_use = true")
    assert reconcile() == first | {"outcome": "updated", "changed": ["size_gb", "in_use"]}
    assert system.rows("SELECT size_gb, in_use, ebs_volume_id FROM disks") == [(10, False, volume)]
    system.rows("UPDATE disks SET in_use = true")
    boto3.client("ec2").delete_volume(VolumeId=volume)
    assert reconcile() == first | {"outcome": "orphaned", "changed": ["in_use"]}
    assert system.rows("SELECT in_use FROM disks") == [(False,)]


def test_a_volume_that_nobody_knows_is_ignored(system):
    system.start()
    job = system.publish("disk.reconcile-volume", {"volume_id": "vol-0123456789abcdef0"})
    event = system.event(job)
    assert event["data"] == {
        "volume_id": "vol-0123456789abcdef0", "user_id": None, "disk_name": None, "outcome": "ignored", "changed": []}
    assert event["subject"] == "volume/vol-0123456789abcdef0"


def test_two_live_volumes_of_one_disk_are_left_to_a_person(system, cloud):
    first, second = cloud.create_volume("alice", "home"), cloud.create_volume("alice", "home")
    system.add_disk("alice", "home", ebs_volume_id=first, size_gb=10)
    system.start()
    job = system.publish("disk.reconcile-volume", {"volume_id": second})
    assert system.event(job)["data"]["outcome"] == "conflict"
    assert system.value("SELECT ebs_volume_id FROM disks") == first


def test_a_disk_whose_reservation_is_starting_is_not_freed(system, cloud):
    reservation = new_reservation(system)
    volume = cloud.create_volume("alice", "home")
    system.add_disk("alice", "home", ebs_volume_id=volume, size_gb=10, in_use=True, reservation_id=reservation)
    system.start()
    job = system.publish("disk.reconcile-volume", {"volume_id": volume})
    assert system.event(job)["data"]["outcome"] == "synced"
    assert system.value("SELECT in_use FROM disks") is True


def test_a_reservation_gets_a_name_and_keeps_it(system, cloud):
    reservation = new_reservation(system)
    system.start()
    first = system.event(system.publish("reservation.map-dns", map_dns(reservation, preferred_name="Alice_Training.")))
    assert first["data"]["domain_name"] == "alice-training"
    assert first["data"]["fqdn"] == "alice-training.devservers.example"
    moved = map_dns(reservation, preferred_name="other", node_ip="10.0.1.8", node_port=30023)
    second = system.event(system.publish("reservation.map-dns", moved))
    assert second["data"]["domain_name"] == "alice-training"
    assert system.rows("SELECT domain_name, node_ip, node_port FROM domain_mappings") == [
        ("alice-training", "10.0.1.8", 30023)]
    records = cloud.records_of("alice-training")
    assert records["TXT"] == ['"30023"']
    assert [value.rstrip(".") for value in records["CNAME"]] == [cloud.balancer_name]


@pytest.mark.parametrize(("wish", "name"), [("taken", "taken-2"), ("www", "www-alt"), ("ÄÖ--x..y", "x-y")])
def test_a_name_that_cannot_be_had_gives_way_to_the_next(system, wish, name):
    other, mine = new_reservation(system), new_reservation(system)
    system.rows(
        "INSERT INTO domain_mappings (domain_name, node_ip, node_port, reservation_id, expires_at)"
        " VALUES ('taken', '10.0.0.1', 1, %s, now() - interval '1 day')", other)
    system.start()
    event = system.event(system.publish("reservation.map-dns", map_dns(mine, preferred_name=wish)))
    assert event["data"]["domain_name"] == name


def test_records_that_somebody_else_made_are_left_alone(system, cloud):
    boto3.client("route53").change_resource_record_sets(HostedZoneId=cloud.zone, ChangeBatch={"Changes": [{
        "Action": "CREATE", "ResourceRecordSet": {
            "Name": "wiki.devservers.example.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.9.9.9"}]}}]})
    system.start()
    event = system.event(system.publish("reservation.map-dns", map_dns(new_reservation(system), preferred_name="wiki")))
    assert event["data"]["domain_name"] == "wiki-2"
    assert cloud.records_of("wiki") == {"A": ["10.9.9.9"]}


def test_a_route_is_made_once_and_adopted_afterwards(system, cloud):
    reservation = new_reservation(system)
    system.start()
    first = system.event(system.publish("reservation.create-target-group", create_target_group(reservation, cloud)))
    second = system.event(
        system.publish("reservation.create-target-group", create_target_group(reservation, cloud, jupyter_port=30999)))
    assert second["data"] == first["data"]
    balancing = boto3.client("elbv2")
    rules = [rule for rule in balancing.describe_rules(ListenerArn=cloud.listener)["Rules"] if not rule["IsDefault"]]
    assert [rule["RuleArn"] for rule in rules] == [first["data"]["rule_arn"]]
    health = balancing.describe_target_health(TargetGroupArn=first["data"]["target_group_arn"])
    assert [each["Target"] for each in health["TargetHealthDescriptions"]] == [{"Id": cloud.instance, "Port": 30999}]
    assert system.rows("SELECT jupyter_target_group_arn, jupyter_rule_arn FROM alb_target_groups") == [
        (first["data"]["target_group_arn"], first["data"]["rule_arn"])]


def test_reservations_whose_ids_begin_alike_get_target_groups_of_their_own(system, cloud):
    start = uuid.uuid4().hex[:8]
    system.start()
    groups = set()
    for number in (1, 2):
        reservation = f"{start}-{number}"
        system.add_reservation(reservation)
        payload = create_target_group(reservation, cloud, domain_name=f"host-{number}")
        groups.add(system.event(system.publish("reservation.create-target-group", payload))["data"]["target_group_arn"])
    assert len(groups) == 2


def test_a_host_name_of_another_reservation_is_not_routed(system, cloud):
    other, mine = new_reservation(system), new_reservation(system)
    system.rows(
        "INSERT INTO domain_mappings (domain_name, node_ip, node_port, reservation_id, expires_at)"
        " VALUES ('alice-training', '10.0.0.1', 1, %s, now())", other)
    system.start()
    event = system.event(system.publish("reservation.create-target-group", create_target_group(mine, cloud)))
    assert event["data"]["code"] == "foreign-host-name" and other in event["data"]["error"]
    assert not cloud.routed_hosts()


def test_two_replicas_share_the_load(system):
    system.start(2)
    jobs = [system.publish("disk.create", {"user_id": "alice", "disk_name": f"d{number}"}) for number in range(200)]
    eventually("all are done", lambda: system.value("SELECT count(*) FROM job_ledger WHERE state = 'succeeded'") == 200)
    shares = system.rows("SELECT worker, count(*) FROM job_ledger GROUP BY worker")
    assert len(shares) == 2 and min(count for _, count in shares) > 20
    eventually("every event", lambda: len(system.events()) >= 200)
    assert {event["id"] for event in system.events()} == {f"{job}.completed" for job in jobs}
