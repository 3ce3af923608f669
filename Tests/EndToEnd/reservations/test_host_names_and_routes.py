"""Host names and routes of reservations: made once, found again, and taken away without touching what is not ours."""

import signal
import uuid

import boto3
import pytest

from harness.waiting import eventually

EXPIRY = "2031-02-03T04:05:06Z"
DOMAIN = "devservers.example"


@pytest.fixture
def reservation(system) -> str:
    reservation = str(uuid.uuid4())
    system.add_reservation(reservation)
    return reservation


def done(system, kind: str, payload: dict) -> dict:
    """What the job's completion event tells."""
    event = system.event(system.publish(kind, payload))
    assert event["type"] == f"{kind}.completed", event
    return event["data"]


def map_dns(system, reservation: str, wish: str | None = "training", **more) -> dict:
    payload = {
        "reservation_id": reservation, "preferred_name": wish, "node_ip": "10.0.1.7", "node_port": 30022,
        "expires_at": EXPIRY}
    return done(system, "reservation.map-dns", payload | more)


def route_payload(reservation: str, cloud, host: str = "training") -> dict:
    return {
        "reservation_id": reservation, "domain_name": host, "pod_name": f"gpu-dev-{reservation[:8]}",
        "instance_id": cloud.instance, "jupyter_port": 30888, "expires_at": EXPIRY}


def claim_name(system, name: str, reservation: str) -> None:
    system.rows(
        "INSERT INTO domain_mappings (domain_name, node_ip, node_port, reservation_id, expires_at)"
        " VALUES (%s, '10.0.1.7', 30022, %s, now())", name, reservation)


def record_set(name: str, kind: str, value: str) -> dict:
    return {"Name": f"{name}.{DOMAIN}.", "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}


def make_records(cloud, *records: dict) -> None:
    changes = [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]
    boto3.client("route53").change_resource_record_sets(HostedZoneId=cloud.zone, ChangeBatch={"Changes": changes})


def all_records(cloud) -> list[tuple[str, str]]:
    found = boto3.client("route53").list_resource_record_sets(HostedZoneId=cloud.zone)["ResourceRecordSets"]
    return [(each["Name"], each["Type"]) for each in found if each["Type"] not in ("NS", "SOA")]


def change_path(cloud) -> str:
    """What the proxy calls a request that changes records."""
    return f"/2013-04-01/hostedzone/{cloud.zone}/rrset/"


def refused_batch(message: str) -> tuple[int, str]:
    """How Route 53 refuses a batch (API reference, ChangeResourceRecordSets, InvalidChangeBatch)."""
    return 400, (
        '<?xml version="1.0"?><InvalidChangeBatch xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Messages>'
        f"<Message>{message}</Message></Messages><RequestId>r</RequestId></InvalidChangeBatch>")


@pytest.mark.parametrize(
    ("wish", "name"), [
        ("Foo_Bar.", "foo-bar"), ("ssh", "ssh-alt"), ("n" * 70, "n" * 63), ("12345", None), ("___", None), ("🦦🚀", None)])
def test_a_wish_in_any_spelling_becomes_a_host_name(system, cloud, reservation, wish, name):
    system.start()
    given = map_dns(system, reservation, wish)["domain_name"]
    if name:
        assert given == name
    else:
        assert len(given.split("-")) == 2 and given.replace("-", "").isalpha()
    assert set(all_records(cloud)) == {(f"{given}.{DOMAIN}.", "CNAME"), (f"_port.{given}.{DOMAIN}.", "TXT")}


def test_names_that_an_installation_reserves_are_not_given_away(system, reservation):
    system.start(RESERVED_HOST_NAMES="grafana, Wiki")
    assert map_dns(system, reservation, "wiki")["domain_name"] == "wiki-alt"


def test_a_domain_that_is_too_long_for_rules_is_a_fault_of_configuration(system):
    refused = system.run("run", DOMAIN_NAME=f"{'a' * 60}.example")
    assert refused.returncode == 78 and "DOMAIN_NAME" in refused.stderr


def test_the_same_orders_in_ten_messages_make_one_record_and_one_rule(system, cloud, reservation):
    system.start(2)
    name, route = str(uuid.uuid4()), str(uuid.uuid4())
    mapping = {
        "reservation_id": reservation, "preferred_name": "training", "node_ip": "10.0.1.7", "node_port": 30022,
        "expires_at": EXPIRY}
    for _ in range(10):
        system.publish("reservation.map-dns", mapping, name)
        system.publish("reservation.create-target-group", route_payload(reservation, cloud), route)
    assert system.event(name)["type"].endswith(".completed") and system.event(route)["type"].endswith(".completed")
    eventually("all messages are done with", lambda: not system.depth("reservations") and not system.rows("SELECT FROM outbox"))
    assert sorted(all_records(cloud)) == [(f"_port.training.{DOMAIN}.", "TXT"), (f"training.{DOMAIN}.", "CNAME")]
    assert cloud.routed_hosts() == [f"training.{DOMAIN}"]
    assert cloud.targets() == [(cloud.instance, 30888)]


def test_a_name_is_free_when_its_records_and_its_row_are_gone(system, cloud, reservation):
    other = str(uuid.uuid4())
    system.add_reservation(other)
    system.start()
    map_dns(system, reservation, "mine")
    map_dns(system, other, "theirs")
    assert done(system, "reservation.unmap-dns", {"reservation_id": reservation}) == {
        "reservation_id": reservation, "domain_name": "mine", "deleted_records": 2, "dry_run": False}
    assert {name for name, _ in all_records(cloud)} == {f"theirs.{DOMAIN}.", f"_port.theirs.{DOMAIN}."}
    assert system.rows("SELECT domain_name, reservation_id FROM domain_mappings") == [("theirs", other)]


def test_what_is_absent_already_is_done(system, cloud, reservation):
    claim_name(system, "training", reservation)
    system.start()
    first = done(system, "reservation.unmap-dns", {"reservation_id": reservation})
    assert (first["domain_name"], first["deleted_records"]) == ("training", 0)
    second = done(system, "reservation.unmap-dns", {"reservation_id": reservation})
    assert (second["domain_name"], second["deleted_records"]) == (None, 0)
    assert done(system, "reservation.delete-target-group", {"reservation_id": reservation}) == {
        "reservation_id": reservation, "rule_arn": None, "target_group_arn": None, "dry_run": False}
    assert system.rows("SELECT FROM domain_mappings") == [] == all_records(cloud)


def test_a_name_that_an_older_program_gave_is_taken_back_too(system, cloud, reservation):
    claim_name(system, "brave_otter", reservation)
    make_records(
        cloud, record_set("brave_otter", "CNAME", cloud.balancer_name), record_set("_port.brave_otter", "TXT", '"30022"'))
    system.start()
    assert done(system, "reservation.unmap-dns", {"reservation_id": reservation})["deleted_records"] == 2
    assert all_records(cloud) == [] == system.rows("SELECT FROM domain_mappings")


def test_records_of_others_at_our_name_stay(system, cloud, reservation):
    claim_name(system, "training", reservation)
    make_records(
        cloud, record_set("training", "CNAME", "elsewhere.example."), record_set("_port.training", "TXT", '"30022"'))
    system.start()
    assert done(system, "reservation.unmap-dns", {"reservation_id": reservation})["deleted_records"] == 1
    assert cloud.records_of("training") == {"CNAME": ["elsewhere.example."]}
    assert system.rows("SELECT FROM domain_mappings") == []


def test_a_batch_that_no_longer_fits_the_records_is_made_anew(proxied, proxy, cloud, reservation):
    claim_name(proxied, "training", reservation)
    make_records(cloud, record_set("training", "CNAME", cloud.balancer_name))
    refusal = refused_batch("Tried to delete resource record set but it was not found")
    proxy.before(change_path(cloud), lambda number: refusal if number == 1 else None)
    proxied.start()
    assert done(proxied, "reservation.unmap-dns", {"reservation_id": reservation})["deleted_records"] == 1
    assert proxy.count(change_path(cloud)) == 2
    assert all_records(cloud) == []


def test_a_name_that_somebody_takes_under_our_hands_gives_way_to_the_next(proxied, proxy, cloud, reservation):

    def take(number: int):
        if number > 1:
            return None
        make_records(cloud, record_set("training", "A", "10.9.9.9"))
        return refused_batch("RRSet of type CNAME with DNS name training is not permitted as it conflicts")

    proxy.before(change_path(cloud), take)
    proxied.start()
    assert map_dns(proxied, reservation)["domain_name"] == "training-2"
    assert cloud.records_of("training") == {"A": ["10.9.9.9"]}
    assert proxied.rows("SELECT domain_name FROM domain_mappings") == [("training-2",)]


def test_a_prior_request_that_is_not_complete_is_waited_for(proxied, proxy, cloud, reservation):
    busy = (400, (
        '<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type>'
        "<Code>PriorRequestNotComplete</Code><Message>busy</Message></Error><RequestId>r</RequestId></ErrorResponse>"))
    proxy.before(change_path(cloud), lambda number: busy if number == 1 else None)
    proxied.start()
    assert map_dns(proxied, reservation)["domain_name"] == "training"
    assert set(cloud.records_of("training")) == {"CNAME", "TXT"}


def test_the_row_stays_while_the_records_do(proxied, proxy, cloud, reservation):
    claim_name(proxied, "training", reservation)
    make_records(cloud, record_set("training", "CNAME", cloud.balancer_name))
    proxy.refuse(change_path(cloud), 403, "AccessDenied")
    proxied.start()
    event = proxied.event(proxied.publish("reservation.unmap-dns", {"reservation_id": reservation}))
    assert (event["type"], event["data"]["code"]) == ("reservation.unmap-dns.failed", "AccessDenied")
    assert proxied.rows("SELECT domain_name FROM domain_mappings") == [("training",)]


@pytest.mark.parametrize("point", ["claimed", "acted", "committing", "committed"])
def test_a_removal_survives_death_at_any_step(system, cloud, reservation, point):
    first = system.start()[0]
    map_dns(system, reservation)
    done(system, "reservation.create-target-group", route_payload(reservation, cloud))
    first.stop()
    for kind in ("reservation.unmap-dns", "reservation.delete-target-group"):
        job = system.publish(kind, {"reservation_id": reservation})
        doomed = system.start_doomed(GPUDEV_KILL_AT=point)
        assert doomed.wait(30) == -signal.SIGKILL
        later = system.start()[0]
        eventually("the job is done", lambda job=job: system.state(job) == ("succeeded", 1))
        later.stop()
    assert all_records(cloud) == [] and cloud.routed_hosts() == [] and cloud.targets() == []
    assert system.rows("SELECT FROM domain_mappings") == [] == system.rows("SELECT FROM alb_target_groups")


@pytest.mark.parametrize("how", ["payload", "worker"])
def test_a_dry_run_only_tells(system, cloud, reservation, how):
    first = system.start()[0]
    map_dns(system, reservation)
    route = done(system, "reservation.create-target-group", route_payload(reservation, cloud))
    first.stop()
    system.start(DRY_RUN="true" if how == "worker" else "false")
    payload = {"reservation_id": reservation} | ({"dry_run": True} if how == "payload" else {})
    assert done(system, "reservation.unmap-dns", payload) == {
        "reservation_id": reservation, "domain_name": "training", "deleted_records": 2, "dry_run": True}
    assert done(system, "reservation.delete-target-group", payload) == {
        "reservation_id": reservation, "rule_arn": route["rule_arn"], "target_group_arn": route["target_group_arn"],
        "dry_run": True}
    assert len(all_records(cloud)) == 2 and cloud.routed_hosts() == [f"training.{DOMAIN}"]
    assert cloud.targets() == [(cloud.instance, 30888)]
    assert system.rows("SELECT count(*) FROM domain_mappings") == [(1,)]
    assert system.rows("SELECT count(*) FROM alb_target_groups") == [(1,)]


def test_a_target_group_that_is_in_use_is_waited_for_and_the_row_with_it(proxied, proxy, cloud, reservation):
    proxied.start()
    route = done(proxied, "reservation.create-target-group", route_payload(reservation, cloud))
    proxy.refuse("DeleteTargetGroup", 400, "ResourceInUse", times=3)
    job = proxied.publish("reservation.delete-target-group", {"reservation_id": reservation})
    for tries in (1, 2, 3):
        eventually("the job waits", lambda tries=tries: proxied.value(
            "SELECT snoozes FROM job_ledger WHERE job_id = %s AND state = 'waiting'", job) == tries)
        assert proxied.rows("SELECT jupyter_target_group_arn FROM alb_target_groups") == [(route["target_group_arn"],)]
        assert cloud.routed_hosts() == []
        proxied.hurry()
    assert proxied.event(job)["data"] == {
        "reservation_id": reservation, "rule_arn": route["rule_arn"], "target_group_arn": route["target_group_arn"],
        "dry_run": False}
    assert cloud.targets() == [] == proxied.rows("SELECT FROM alb_target_groups")
    assert proxied.state(job) == ("succeeded", 1)


@pytest.mark.parametrize("action", ["DeleteRule", "DeleteTargetGroup", "DescribeTargetGroups", "DescribeTags"])
def test_the_row_of_a_route_stays_when_aws_refuses(proxied, proxy, cloud, reservation, action):
    proxied.start()
    done(proxied, "reservation.create-target-group", route_payload(reservation, cloud))
    proxy.refuse(action, 403, "AccessDenied")
    event = proxied.event(proxied.publish("reservation.delete-target-group", {"reservation_id": reservation}))
    assert event["data"]["code"] == "AccessDenied"
    assert proxied.rows("SELECT reservation_id FROM alb_target_groups") == [(reservation,)]


def make_older_route(cloud, reservation: str, host: str, **tags: str) -> tuple[str, str]:
    """A target group and its rule, as older programs made them."""
    balancing = boto3.client("elbv2")
    tag_group = {"ReservationId": reservation, "PodName": "gpu-dev-x", "ManagedBy": "gpu-dev-lambda", "Name": "n"} | tags
    tag_rule = {"Subdomain": host, "ManagedBy": "gpu-dev-lambda", "Name": f"jupyter-{host}"}
    group = balancing.create_target_group(
        Name=f"jupyter-{reservation[:8]}", Protocol="HTTP", Port=30888, VpcId=cloud.vpc, TargetType="instance",
        Tags=[{"Key": key, "Value": value} for key, value in tag_group.items()])["TargetGroups"][0]["TargetGroupArn"]
    rule = balancing.create_rule(
        ListenerArn=cloud.listener, Priority=7, Actions=[{"Type": "forward", "TargetGroupArn": group}],
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [f"{host}.{DOMAIN}"]}}],
        Tags=[{"Key": key, "Value": value} for key, value in tag_rule.items()])["Rules"][0]["RuleArn"]
    return group, rule


def test_an_older_route_without_a_row_is_found_by_name_and_tags(system, cloud):
    forgotten = str(uuid.uuid4())
    group, rule = make_older_route(cloud, forgotten, "old")
    system.start()
    told = done(system, "reservation.delete-target-group", {"reservation_id": forgotten})
    assert (told["rule_arn"], told["target_group_arn"]) == (rule, group)
    assert cloud.routed_hosts() == []
    assert boto3.client("elbv2").describe_target_groups()["TargetGroups"] == []


def test_a_target_group_of_another_reservation_is_left_alone(system, cloud, reservation):
    group, _ = make_older_route(cloud, reservation, "old", ReservationId="somebody-else")
    system.rows(
        "INSERT INTO alb_target_groups (reservation_id, domain_name, jupyter_target_group_arn, expires_at)"
        " VALUES (%s, 'mine', %s, now())", reservation, group)
    system.start()
    done(system, "reservation.delete-target-group", {"reservation_id": reservation})
    assert cloud.routed_hosts() == [f"old.{DOMAIN}"]
    assert len(boto3.client("elbv2").describe_target_groups()["TargetGroups"]) == 1


def test_an_older_route_is_adopted_and_put_right(system, cloud, reservation):
    group, rule = make_older_route(cloud, reservation, "training")
    boto3.client("elbv2").register_targets(TargetGroupArn=group, Targets=[{"Id": cloud.instance, "Port": 31111}])
    system.start()
    told = done(system, "reservation.create-target-group", route_payload(reservation, cloud))
    assert (told["target_group_arn"], told["rule_arn"]) == (group, rule)
    assert cloud.targets() == [(cloud.instance, 30888)]
    check = boto3.client("elbv2").describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    assert (check["HealthCheckPath"], check["Matcher"]["HttpCode"]) == ("/", "200,301,302")
    assert (check["HealthCheckIntervalSeconds"], check["UnhealthyThresholdCount"]) == (30, 2)


def test_a_priority_that_is_taken_under_our_hands_gives_way_to_the_next(proxied, proxy, cloud, reservation):
    proxy.refuse("CreateRule", 400, "PriorityInUse", times=1)
    proxied.start()
    done(proxied, "reservation.create-target-group", route_payload(reservation, cloud))
    assert proxy.count("DescribeRules") == 2 == proxy.count("CreateRule")
    assert cloud.routed_hosts() == [f"training.{DOMAIN}"]


def test_ten_priorities_that_others_take_are_enough_for_one_try(proxied, proxy, cloud, reservation):
    proxy.refuse("CreateRule", 400, "PriorityInUse", times=10)
    proxied.start()
    job = proxied.publish("reservation.create-target-group", route_payload(reservation, cloud))
    assert proxied.event(job)["type"] == "reservation.create-target-group.completed"
    assert proxied.state(job) == ("succeeded", 2)
    assert cloud.routed_hosts() == [f"training.{DOMAIN}"]


def test_a_target_group_is_named_after_its_reservation_and_its_rule_after_the_host(system, cloud, reservation):
    system.start()
    route = done(system, "reservation.create-target-group", route_payload(reservation, cloud))
    described = boto3.client("elbv2").describe_tags(ResourceArns=[route["target_group_arn"], route["rule_arn"]])
    names = {
        each["ResourceArn"]: tag["Value"] for each in described["TagDescriptions"] for tag in each["Tags"]
        if tag["Key"] == "Name"}
    assert names == {
        route["target_group_arn"]: f"jupyter-{reservation[:8]}", route["rule_arn"]: "jupyter-training"}


@pytest.mark.parametrize(("change", "code"), [
    ({"instance_id": "i-0fedcba9876543210"}, "foreign-instance"), ({"pod_name": "gpu-dev-another"}, "foreign-pod"),
    ({"jupyter_port": 8443}, "payload"), ({"jupyter_port": 32768}, "payload"),
    ({"domain_name": "admin"}, "reserved-host-name"), ({"domain_name": "grafana"}, "reserved-host-name")])
def test_nothing_is_routed_to_but_the_reservations_own_pod(system, cloud, cluster, reservation, change, code):
    cluster.add_pod(f"gpu-dev-{reservation[:8]}", node="node-1", annotations={"gpu-dev-user-id": "alice"})
    cluster.add_pod("gpu-dev-another", node="node-1", annotations={"gpu-dev-user-id": "bob"})
    system.start(RESERVED_HOST_NAMES="grafana")
    # Not by way of `enqueue`, which would say so at once.
    event = system.event(system.publish(
        "reservation.create-target-group", route_payload(reservation, cloud) | change, checked=False))
    assert event["data"]["code"] == code
    assert boto3.client("elbv2").describe_target_groups()["TargetGroups"] == [] == cloud.routed_hosts()
    assert done(system, "reservation.create-target-group", route_payload(reservation, cloud))["domain_name"] == "training"


def test_the_pod_of_another_user_under_the_reservations_name_gets_no_route(system, cloud, cluster, reservation):
    cluster.add_pod(f"gpu-dev-{reservation[:8]}", node="node-1", annotations={"gpu-dev-user-id": "bob"})
    system.start()
    event = system.event(system.publish("reservation.create-target-group", route_payload(reservation, cloud)))
    assert event["data"]["code"] == "foreign-pod" and cloud.targets() == []


def test_a_reserved_name_that_the_reservation_was_given_is_routed(system, cloud, reservation):
    claim_name(system, "admin", reservation)
    system.start()
    assert done(system, "reservation.create-target-group", route_payload(reservation, cloud, "admin"))["domain_name"] == "admin"


def test_a_host_that_somebody_else_has_routed_is_a_conflict(system, cloud, reservation):
    balancing = boto3.client("elbv2")
    foreign = balancing.create_rule(
        ListenerArn=cloud.listener, Priority=9,
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [f"training.{DOMAIN}"]}}])["Rules"][0]
    system.start()
    event = system.event(system.publish("reservation.create-target-group", route_payload(reservation, cloud)))
    assert event["data"]["code"] == "foreign-rule"
    rules = [rule for rule in balancing.describe_rules(ListenerArn=cloud.listener)["Rules"] if not rule["IsDefault"]]
    assert [(rule["RuleArn"], rule["Priority"]) for rule in rules] == [(foreign["RuleArn"], "9")]
    # What the job had begun is known by its row, and goes with the reservation's route.
    done(system, "reservation.delete-target-group", {"reservation_id": reservation})
    assert balancing.describe_target_groups()["TargetGroups"] == []
    assert len(cloud.routed_hosts()) == 1


@pytest.mark.parametrize(
    ("action", "code"), [("CreateTargetGroup", "TooManyTargetGroups"), ("CreateRule", "TooManyRules"),
                         ("CreateRule", "TooManyUniqueTargetGroupsPerLoadBalancer")])
def test_a_limit_of_the_load_balancer_is_told_and_the_reservation_goes_on(
        proxied, proxy, cloud, reservation, action, code):
    proxy.refuse(action, 400, code)
    proxied.start()
    event = proxied.event(proxied.publish("reservation.create-target-group", route_payload(reservation, cloud)))
    assert (event["data"]["reason"], event["data"]["code"]) == ("rejected", code)
    status, told = proxied.rows("SELECT status, jupyter_error FROM reservations")[0]
    assert status == "active" and told.startswith(code)
    proxy.restore()
    done(proxied, "reservation.delete-target-group", {"reservation_id": reservation})
    assert boto3.client("elbv2").describe_target_groups()["TargetGroups"] == []
