"""The AWS of the tests, asked by boto3, which knows nothing of it: does it do what AWS's documentation says?"""

import time
import uuid

import boto3
import botocore.config
import botocore.exceptions
import botocore.parsers
import pytest

from harness.machine import scaled
from harness.waiting import eventually

ONE_TRY = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=scaled(5))
DOMAIN = "devservers.example"


@pytest.fixture
def client(aws):
    """Makes a client that asks the peer, once for each call unless told."""

    def make(service: str, config=ONE_TRY, **options):
        return boto3.client(service, endpoint_url=aws.url, config=config, **options)

    return make


@pytest.fixture
def ec2(client):
    return client("ec2")


@pytest.fixture
def volume(ec2):
    return ec2.create_volume(AvailabilityZone="us-east-2a", Size=10)["VolumeId"]


def code_of(call, *arguments, **parameters) -> str:
    """What AWS refuses a call with."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(*arguments, **parameters)
    return refusal.value.response["Error"]["Code"]


def state_of(ec2, snapshot: str) -> str:
    return ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"]


# Snapshots


def test_a_snapshot_is_pending_until_it_is_finished(aws, ec2, volume):
    aws.snapshots.hold()
    first = ec2.create_snapshot(VolumeId=volume)
    second = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    assert first["State"] == "pending"
    mine = {"OwnerIds": ["self"], "Filters": [{"Name": "status", "Values": ["pending"]}]}
    pending = ec2.describe_snapshots(**mine)["Snapshots"]
    assert {each["SnapshotId"] for each in pending} == set(aws.snapshots.pending) == {first["SnapshotId"], second}
    aws.snapshots.finish(first["SnapshotId"])
    aws.snapshots.finish(second, "error")
    assert (state_of(ec2, first["SnapshotId"]), state_of(ec2, second)) == ("completed", "error")
    assert ec2.describe_snapshots(**mine)["Snapshots"] == []


def test_a_snapshot_completes_after_a_time(aws, ec2, volume):
    aws.snapshots.take(seconds=0.5)
    started = time.monotonic()
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 0.1, "MaxAttempts": 50})
    assert 0.5 <= time.monotonic() - started < scaled(3)


def test_five_snapshots_of_a_volume_may_be_pending(aws, ec2, volume):
    aws.snapshots.hold()
    for _ in range(5):
        ec2.create_snapshot(VolumeId=volume)
    assert code_of(ec2.create_snapshot, VolumeId=volume) == "ConcurrentSnapshotLimitExceeded"


def test_a_snapshot_that_an_image_needs_is_not_deleted(aws, ec2, volume):
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    aws.snapshots.protect(snapshot)
    assert code_of(ec2.delete_snapshot, SnapshotId=snapshot) == "InvalidSnapshot.InUse"


def test_a_volume_needs_a_snapshot_that_is_complete_and_not_larger(aws, ec2, volume):
    aws.snapshots.hold()
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    restore = {"AvailabilityZone": "us-east-2a", "SnapshotId": snapshot}
    assert code_of(ec2.create_volume, **restore) == "IncorrectState"
    aws.snapshots.release()
    assert code_of(ec2.create_volume, Size=9, **restore) == "InvalidParameterValue"
    assert ec2.create_volume(**restore)["Size"] == 10


def test_a_new_snapshot_may_not_be_listed_at_first(aws, ec2, volume):
    aws.snapshots.hide_new(seconds=0.5)
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    assert code_of(ec2.describe_snapshots, SnapshotIds=[snapshot]) == "InvalidSnapshot.NotFound"
    by_volume = {"Filters": [{"Name": "volume-id", "Values": [volume]}]}
    assert ec2.describe_snapshots(**by_volume)["Snapshots"] == []
    eventually("it is listed", lambda: ec2.describe_snapshots(**by_volume)["Snapshots"], 3)


# Volumes


def test_a_volume_is_made_once_for_each_token(ec2):
    wanted = {"AvailabilityZone": "us-east-2a", "Size": 10, "ClientToken": uuid.uuid4().hex}
    first, second = ec2.create_volume(**wanted), ec2.create_volume(**wanted)
    assert first["VolumeId"] == second["VolumeId"] and second["State"] == "available" and second["Size"] == 10
    assert len(ec2.describe_volumes(VolumeIds=[first["VolumeId"]])["Volumes"]) == 1
    assert code_of(ec2.create_volume, **wanted | {"Size": 11}) == "IdempotentParameterMismatch"


def test_a_volume_is_creating_until_it_is_finished(aws, cloud, ec2):
    aws.volumes.hold()
    volume = ec2.create_volume(AvailabilityZone="us-east-2a", Size=10)["VolumeId"]
    creating = [{"Name": "status", "Values": ["creating"]}]
    assert [each["VolumeId"] for each in ec2.describe_volumes(Filters=creating)["Volumes"]] == [volume]
    attach = {"VolumeId": volume, "InstanceId": cloud.instance, "Device": "/dev/sdf"}
    assert code_of(ec2.attach_volume, **attach) == "IncorrectState"
    aws.volumes.finish(volume, "error")
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "error"
    assert ec2.describe_volumes(Filters=creating)["Volumes"] == []
    ec2.delete_volume(VolumeId=volume)


def test_a_volume_is_detaching_until_it_comes_off(aws, cloud, ec2, volume):
    ec2.attach_volume(VolumeId=volume, InstanceId=cloud.instance, Device="/dev/sdf")
    assert code_of(
        ec2.attach_volume, VolumeId=volume, InstanceId=cloud.instance, Device="/dev/sdg") == "VolumeInUse"
    aws.volumes.hold_detaching()
    assert ec2.detach_volume(VolumeId=volume)["State"] == "detaching"

    def attachments() -> list[str]:
        return [each["State"] for each in ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]]

    assert attachments() == ["detaching"]
    filters = [{"Name": "attachment.status", "Values": ["detaching"]}]
    assert [each["VolumeId"] for each in ec2.describe_volumes(Filters=filters)["Volumes"]] == [volume]
    assert code_of(ec2.delete_volume, VolumeId=volume) == "VolumeInUse"
    aws.volumes.detach(volume)
    assert attachments() == []
    assert code_of(ec2.detach_volume, VolumeId=volume) == "IncorrectState"
    ec2.delete_volume(VolumeId=volume)


def test_a_new_volume_may_not_be_found_at_first(aws, ec2):
    aws.volumes.hide_new(seconds=0.5)
    volume = ec2.create_volume(AvailabilityZone="us-east-2a", Size=10)["VolumeId"]
    assert code_of(ec2.describe_volumes, VolumeIds=[volume]) == "InvalidVolume.NotFound"
    by_id = [{"Name": "volume-id", "Values": [volume]}]
    assert ec2.describe_volumes(Filters=by_id)["Volumes"] == []
    eventually("it is found", lambda: ec2.describe_volumes(Filters=by_id)["Volumes"], 3)


# Pages


def test_lists_come_in_pages_of_the_size_that_is_asked_for(ec2, volume):
    made = {ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(12)}
    ask = {"OwnerIds": ["self"], "Filters": [{"Name": "volume-id", "Values": [volume]}], "MaxResults": 5}
    pages = list(ec2.get_paginator("describe_snapshots").paginate(**ask))
    assert [len(page["Snapshots"]) for page in pages] == [5, 5, 2]
    assert {each["SnapshotId"] for page in pages for each in page["Snapshots"]} == made
    token = pages[0]["NextToken"]
    assert code_of(ec2.describe_snapshots, OwnerIds=["self"], NextToken=token) == "InvalidParameterValue"
    assert code_of(ec2.describe_snapshots, **ask | {"MaxResults": 4}) == "InvalidParameterValue"
    assert code_of(ec2.describe_volumes, VolumeIds=[volume], MaxResults=5) == "InvalidParameterCombination"


def test_target_groups_come_in_pages_with_markers(aws, cloud, client):
    balancing = client("elbv2")
    for number in range(5):
        balancing.create_target_group(Name=f"g{number}", Protocol="HTTP", Port=80, VpcId=cloud.vpc)
    pages = list(balancing.get_paginator("describe_target_groups").paginate(PageSize=2))
    assert [len(page["TargetGroups"]) for page in pages] == [2, 2, 1]
    assert {each["TargetGroupName"] for page in pages for each in page["TargetGroups"]} == {
        f"g{number}" for number in range(5)}


def test_pages_may_be_small_and_empty(aws, ec2):
    made = {ec2.create_volume(AvailabilityZone="us-east-2a", Size=1)["VolumeId"] for _ in range(3)}
    aws.pages.hold_at_most(2)
    aws.pages.begin_empty(2)
    pages = list(ec2.get_paginator("describe_volumes").paginate())
    sizes = [len(page["Volumes"]) for page in pages]
    assert sizes[:3] == [0, 0, 2] and max(sizes) == 2
    assert all(page.get("NextToken") for page in pages[:-1])
    assert {each["VolumeId"] for page in pages for each in page["Volumes"]} >= made


# Bounds


def test_tags_and_filters_have_their_bounds(cloud, client, ec2, volume):
    def tag(key: str, value: str) -> str:
        return code_of(ec2.create_tags, Resources=[volume], Tags=[{"Key": key, "Value": value}])

    assert tag("k", "v" * 257) == tag("k" * 128, "v") == tag("aws:k", "v") == "InvalidParameterValue"
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    assert code_of(ec2.create_tags, Resources=[volume], Tags=many) == "TagLimitExceeded"
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "k" * 127, "Value": "ä *?\\" * 50}])
    filters = [{"Name": "volume-id", "Values": [f"vol-{number}" for number in range(201)]}]
    assert code_of(ec2.describe_volumes, Filters=filters) == "FilterLimitExceeded"
    balancing = client("elbv2")
    group = {"Name": "group", "Protocol": "HTTP", "Port": 80, "VpcId": cloud.vpc}
    assert code_of(
        balancing.create_target_group, Tags=[{"Key": "k", "Value": "a*b"}], **group) == "ValidationError"


# Faults


@pytest.mark.parametrize(("service", "action", "call", "code"), [
    ("ec2", "DescribeVolumes", "describe_volumes", "RequestLimitExceeded"),
    ("elbv2", "DescribeTargetGroups", "describe_target_groups", "Throttling"),
    ("sts", "GetCallerIdentity", "get_caller_identity", "Throttling"),
])
def test_calls_are_throttled_so_many_times(aws, client, service, action, call, code):
    aws.throttle(action, times=2)
    ask = getattr(client(service), call)
    assert (code_of(ask), code_of(ask)) == (code, code)
    ask()
    assert aws.count(action) == 3


def test_throttling_is_of_the_kind_that_clients_repeat(aws, client):
    aws.throttle("DescribeVolumes", times=2)
    client("ec2", botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 3})).describe_volumes()
    assert aws.count("DescribeVolumes") == 3


def test_a_service_takes_so_many_requests_a_second(aws, cloud, client):
    aws.limit("route53", per_second=5)
    list_sets = client("route53").list_resource_record_sets
    for _ in range(5):
        list_sets(HostedZoneId=cloud.zone)
    assert code_of(list_sets, HostedZoneId=cloud.zone) == "Throttling"
    time.sleep(1.1)
    list_sets(HostedZoneId=cloud.zone)


def test_a_connection_is_cut_before_or_after_the_request_is_carried_out(aws, cloud, ec2, volume):
    for cut, made in ((aws.cut_before, 0), (aws.cut_after, 1)):
        cut("CreateSnapshot")
        with pytest.raises(botocore.exceptions.ConnectionClosedError):
            ec2.create_snapshot(VolumeId=volume)
        filters = [{"Name": "volume-id", "Values": [volume]}]
        assert len(boto3.client("ec2").describe_snapshots(Filters=filters)["Snapshots"]) == made


def test_a_document_is_truncated(aws, ec2):
    aws.truncate("DescribeVolumes")
    with pytest.raises(botocore.parsers.ResponseParserError):
        ec2.describe_volumes()
    ec2.describe_volumes()


def test_an_error_comes_under_a_status_that_says_that_all_is_well(aws, client):
    s3 = client("s3")
    s3.create_bucket(Bucket="lists", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    aws.fail_under_200("PutObject", "InternalError")
    # boto3 looks under the status too (200 becomes 500 there).
    assert code_of(s3.put_object, Bucket="lists", Key="a b/c", Body=b"text") == "InternalError"
    assert code_of(s3.get_object, Bucket="lists", Key="a b/c") == "NoSuchKey"
    s3.put_object(Bucket="lists", Key="a b/c", Body=b"text")
    assert s3.get_object(Bucket="lists", Key="a b/c")["Body"].read() == b"text"


def test_the_first_byte_comes_late(aws, ec2):
    aws.hesitate("DescribeVolumes", seconds=0.5)
    started = time.monotonic()
    ec2.describe_volumes()
    assert time.monotonic() - started >= 0.5


def test_a_code_is_given_so_many_times(aws, ec2):
    aws.fail("CreateVolume", "VolumeLimitExceeded")
    wanted = {"AvailabilityZone": "us-east-2a", "Size": 1}
    assert code_of(ec2.create_volume, **wanted) == "VolumeLimitExceeded"
    ec2.create_volume(**wanted)


# Who asks, and when


def test_signatures_are_checked(aws, client):
    wrong = client("ec2", aws_access_key_id="test", aws_secret_access_key="other")
    assert code_of(wrong.describe_volumes) == "SignatureDoesNotMatch"
    unknown = {"aws_access_key_id": "AKIAUNKNOWN", "aws_secret_access_key": "test"}
    assert code_of(client("ec2", **unknown).describe_volumes) == "AuthFailure"
    assert code_of(client("elbv2", **unknown).describe_target_groups) == "InvalidClientTokenId"


@pytest.mark.parametrize("minutes", [20, -20])
def test_signatures_of_another_time_are_refused(aws, cloud, client, minutes):
    aws.clock.run_ahead(minutes)
    assert code_of(client("ec2").describe_volumes) == "RequestExpired"
    assert code_of(client("elbv2").describe_target_groups) == "SignatureDoesNotMatch"
    assert code_of(client("route53").list_resource_record_sets, HostedZoneId=cloud.zone) == "SignatureDoesNotMatch"
    assert code_of(client("s3").list_objects_v2, Bucket="lists") == "RequestTimeTooSkewed"
    aws.clock.run_ahead(4)
    client("ec2").describe_volumes()


def test_keys_of_a_role_are_given_for_the_right_token_and_last_a_while(aws, client):
    sts = client("sts", botocore.config.Config(signature_version=botocore.UNSIGNED))
    assume = {"RoleArn": "arn:aws:iam::123456789012:role/worker", "RoleSessionName": "pod"}
    aws.keys.trust("second-token")
    assert code_of(
        sts.assume_role_with_web_identity, WebIdentityToken="first-token", **assume) == "ExpiredTokenException"
    keys = sts.assume_role_with_web_identity(WebIdentityToken="second-token", **assume)["Credentials"]
    mine = {
        "aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"]}
    client("ec2", **mine).describe_volumes()
    assert code_of(client("ec2", **mine | {"aws_session_token": "x"}).describe_volumes) == "AuthFailure"
    aws.keys.expire()
    assert code_of(client("ec2", **mine).describe_volumes) == "RequestExpired"
    assert code_of(client("elbv2", **mine).describe_target_groups) == "ExpiredToken"


def test_what_is_not_permitted_is_refused(aws, cloud, client, volume):
    ec2 = client("ec2")
    aws.permissions.forbid("ec2:CreateTags")
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]
    ec2.create_snapshot(VolumeId=volume)
    assert code_of(ec2.create_snapshot, VolumeId=volume, TagSpecifications=tags) == "UnauthorizedOperation"
    aws.permissions.allow("ec2:CreateTags")
    ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)
    aws.permissions.grant_only({"Statement": [{"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"}]})
    ec2.describe_volumes()
    assert code_of(ec2.delete_volume, VolumeId=volume) == "UnauthorizedOperation"
    assert code_of(client("elbv2").describe_target_groups) == "AccessDenied"
    assert code_of(client("route53").list_resource_record_sets, HostedZoneId=cloud.zone) == "AccessDenied"
    client("sts").get_caller_identity()


# Routes


def test_a_target_group_is_made_once_for_the_same_settings(aws, cloud, client):
    create = client("elbv2").create_target_group
    wanted = {"Name": "group", "Protocol": "HTTP", "Port": 80, "VpcId": cloud.vpc}
    first = create(**wanted)["TargetGroups"][0]["TargetGroupArn"]
    assert create(**wanted)["TargetGroups"][0]["TargetGroupArn"] == first
    assert code_of(create, **wanted | {"Port": 81}) == "DuplicateTargetGroupName"


def test_a_target_must_be_a_running_instance(cloud, client):
    balancing = client("elbv2")
    group = balancing.create_target_group(Name="group", Protocol="HTTP", Port=80, VpcId=cloud.vpc)
    group = group["TargetGroups"][0]["TargetGroupArn"]
    bad = [{"Id": "i-0123456789abcdef0", "Port": 80}]
    assert code_of(balancing.register_targets, TargetGroupArn=group, Targets=bad) == "InvalidTarget"
    balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": cloud.instance, "Port": 80}])


def test_rules_are_checked_and_deleted_once(aws, cloud, client):
    balancing = client("elbv2")
    group = balancing.create_target_group(Name="group", Protocol="HTTP", Port=80, VpcId=cloud.vpc)
    group = group["TargetGroups"][0]["TargetGroupArn"]

    def create(host: str, priority: int) -> dict:
        return {
            "ListenerArn": cloud.listener, "Priority": priority,
            "Conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
            "Actions": [{"Type": "forward", "TargetGroupArn": group}]}

    assert code_of(balancing.create_rule, **create(f"a.{DOMAIN}", 50001)) == "ValidationError"
    assert code_of(balancing.create_rule, **create(f"a_b.{DOMAIN}", 1)) == "ValidationError"
    rule = balancing.create_rule(**create(f"a.{DOMAIN}", 1))["Rules"][0]["RuleArn"]
    assert code_of(balancing.delete_target_group, TargetGroupArn=group) == "ResourceInUse"
    balancing.delete_rule(RuleArn=rule)
    assert code_of(balancing.delete_rule, RuleArn=rule) == "RuleNotFound"
    aws.routes.keep_groups_in_use(times=1)
    assert code_of(balancing.delete_target_group, TargetGroupArn=group) == "ResourceInUse"
    balancing.delete_target_group(TargetGroupArn=group)


# Records


def change(action: str, name: str, kind: str = "A", *values: str, ttl: int = 60) -> dict:
    values = values or ("10.0.0.1",)
    return {"Action": action, "ResourceRecordSet": {
        "Name": f"{name}.{DOMAIN}.", "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": each} for each in values]}}


@pytest.fixture
def dns(cloud, client):
    """Carries out a batch, and says which refusal and which words it met with."""
    route53 = client("route53")

    def carry_out(*changes: dict) -> tuple[str, str] | None:
        try:
            route53.change_resource_record_sets(HostedZoneId=cloud.zone, ChangeBatch={"Changes": list(changes)})
        except botocore.exceptions.ClientError as refusal:
            return refusal.response["Error"]["Code"], refusal.response["Error"]["Message"]
        return None

    return carry_out


@pytest.mark.parametrize(("changes", "words"), [
    ([change("CREATE", "a")], "already exists"),
    ([change("CREATE", "a", "A", "10.0.0.2")], "already exists"),
    ([change("UPSERT", "a", "CNAME", "b.example.")], "conflicts with other records"),
    ([change("UPSERT", "c", "A")], "conflicting RRSet of type  CNAME"),
    ([change("DELETE", "b")], "not found"),
    ([change("DELETE", "a", "A", "10.0.0.2")], "do not match the current values"),
    ([change("DELETE", "a", ttl=61)], "do not match the current values"),
    ([change("DELETE", "a"), change("DELETE", "a")], "not found"),
])
def test_a_change_that_cannot_be_is_refused(dns, changes, words):
    assert dns(change("CREATE", "a"), change("CREATE", "c", "CNAME", "a.example.")) is None
    code, message = dns(*changes)
    assert code == "InvalidChangeBatch" and words in message


def test_a_batch_is_carried_out_whole_or_not_at_all(dns, cloud):
    assert dns(change("CREATE", "a")) is None
    code, _ = dns(change("CREATE", "b"), change("CREATE", "a"))
    assert code == "InvalidChangeBatch" and cloud.records_of("b") == {}
    assert dns(change("DELETE", "a"), change("UPSERT", "a", "CNAME", "x.example.")) is None
    assert cloud.records_of("a") == {"CNAME": ["x.example."]}


def test_a_prior_change_must_be_complete_first(aws, dns):
    aws.records.be_busy(times=1)
    assert dns(change("CREATE", "a"))[0] == "PriorRequestNotComplete"
    assert dns(change("CREATE", "a")) is None


def test_a_change_is_pending_until_it_is_in_sync(aws, cloud, client):
    route53 = client("route53")
    aws.records.hold()
    info = route53.change_resource_record_sets(
        HostedZoneId=cloud.zone, ChangeBatch={"Changes": [change("CREATE", "a")]})["ChangeInfo"]
    assert route53.get_change(Id=info["Id"])["ChangeInfo"]["Status"] == "PENDING"
    aws.records.finish()
    assert route53.get_change(Id=info["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    assert code_of(route53.get_change, Id="C0") == "NoSuchChange"


def test_a_zone_that_does_not_exist_is_refused(client):
    batch = {"Changes": [change("CREATE", "a")]}
    call = client("route53").change_resource_record_sets
    assert code_of(call, HostedZoneId="Z00000000000000000000", ChangeBatch=batch) == "NoSuchHostedZone"
