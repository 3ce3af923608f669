"""The policy that the documentation offers grants what the worker calls, and nothing else."""

import json
import re

import boto3
import pytest
import yaml

from harness.repository import ROOT

SERVICES = {"elasticLoadBalancing": "elasticloadbalancing", "autoScaling": "autoscaling"}
CLIENTS = {"elasticloadbalancing": "elbv2"}
NOT_OPERATIONS = {"InstanceMetadata"}
"""Requests to other servers that errors name like operations."""
IMPLIED = {"ec2:CreateTags", "elasticloadbalancing:AddTags", "s3:ListBucket"}
"""What AWS asks for besides: for tags that go with a create, and to say that an object is absent."""
UNRESTRICTED = re.compile(r"(ec2|elasticloadbalancing|autoscaling):Describe\w+")
"""Actions that know no resources (Service Authorization Reference)."""


def policy() -> list[dict]:
    document = json.loads((ROOT / "docs/iam-policy.json").read_text())
    assert document["Version"] == "2012-10-17"
    return document["Statement"]


def listed(value) -> list[str]:
    return [value] if isinstance(value, str) else value


def called() -> set[str]:
    """Service and operation of each call in the sources; those of STS need no permission."""
    found = {
        (SERVICES.get(service, service), name)
        for source in (ROOT / "Sources").rglob("*.swift")
        for service, name in re.findall(r'AWSOperation\(\s*\.(\w+),\s*"(\w+)"', source.read_text())}
    return {f"{service}:{name}" for service, name in found if service != "sts" and name not in NOT_OPERATIONS}


def test_every_operation_is_granted_and_nothing_else():
    granted = {action for statement in policy() for action in listed(statement["Action"])}
    assert len(called()) > 20
    assert granted == called() | IMPLIED
    assert {statement["Effect"] for statement in policy()} == {"Allow"}


def test_every_operation_is_one_of_aws():
    for service, name in (each.split(":") for each in called()):
        model = boto3.client(CLIENTS.get(service, service)).meta.service_model
        assert name in model.operation_names, f"{service}:{name}"


def test_only_what_knows_no_resources_is_granted_on_all():
    for statement in policy():
        if "*" in listed(statement["Resource"]):
            assert all(UNRESTRICTED.fullmatch(action) for action in listed(statement["Action"])), statement["Sid"]


OWNED = {"Null": {"aws:ResourceTag/gpu-dev-user": "false"}}
TAGGED = {"Null": {"aws:RequestTag/gpu-dev-user": "false"}}
VOLUMES, SNAPSHOTS = "arn:aws:ec2:*:ACCOUNT_ID:volume/*", "arn:aws:ec2:*::snapshot/*"


def granting(action: str) -> list[dict]:
    return [statement for statement in policy() if action in listed(statement["Action"])]


def test_what_destroys_is_granted_on_what_belongs_to_users_alone():
    for action in ("ec2:DeleteVolume", "ec2:DeleteSnapshot", "ec2:DeleteTags"):
        statement, = granting(action)
        assert statement["Condition"] == OWNED


@pytest.mark.parametrize(("action", "made", "source"), [
    ("ec2:CreateVolume", VOLUMES, SNAPSHOTS), ("ec2:CreateSnapshot", SNAPSHOTS, VOLUMES)])
def test_what_is_made_gets_an_owner_and_comes_from_what_has_one(action, made, source):
    """Without a condition on the source, a snapshot of any volume of the account could be had."""
    found = {resource: each.get("Condition") for each in granting(action) for resource in listed(each["Resource"])}
    assert found == {made: TAGGED, source: OWNED}


def test_tags_are_put_on_what_is_being_made_and_on_what_belongs_to_users():
    conditions = [statement["Condition"] for statement in granting("ec2:CreateTags")]
    assert len(conditions) == 2 and OWNED in conditions
    assert {"StringEquals": {"ec2:CreateAction": ["CreateVolume", "CreateSnapshot"]}} in conditions


def test_routes_are_those_of_one_listener_and_of_target_groups_with_the_platforms_names():
    for statement in policy():
        actions = [action for action in listed(statement["Action"]) if action.startswith("elasticloadbalancing:")]
        if not actions or statement["Resource"] == "*":
            continue
        for resource in listed(statement["Resource"]):
            assert re.fullmatch(
                r"arn:aws:elasticloadbalancing:\*:ACCOUNT_ID:"
                r"(targetgroup/jupyter-\*/\*|listener/JUPYTER_ALB_LISTENER|listener-rule/JUPYTER_ALB_LISTENER/\*)", resource)
        if any("TargetGroup" in action or "Targets" in action for action in actions):
            assert "ManagedBy" in json.dumps(statement["Condition"])


def test_names_are_those_of_the_domain_and_of_the_types_that_are_written():
    statement, = granting("route53:ChangeResourceRecordSets")
    condition, key = statement["Condition"], "route53:ChangeResourceRecordSets"
    assert condition["ForAllValues:StringLike"] == {f"{key}NormalizedRecordNames": ["*.DOMAIN_NAME"]}
    assert condition["ForAllValues:StringEquals"] == {
        f"{key}RecordTypes": ["CNAME", "TXT"], f"{key}Actions": ["UPSERT", "DELETE"]}
    # ForAllValues alone is met by a request that has none.
    assert condition["Null"] == dict.fromkeys((f"{key}{each}" for each in (
        "NormalizedRecordNames", "RecordTypes", "Actions")), "false")


def test_everything_that_names_an_account_names_this_one():
    for statement in policy():
        for resource in listed(statement["Resource"]):
            if resource.startswith("arn:aws:s3"):
                assert statement["Condition"] == {"StringEquals": {"aws:ResourceAccount": "ACCOUNT_ID"}}
            elif resource != "*" and not resource.startswith(("arn:aws:route53", "arn:aws:ec2:*::snapshot/")):
                assert resource.split(":")[4] == "ACCOUNT_ID", resource


def test_the_role_is_for_the_workers_service_account_alone():
    statement, = json.loads((ROOT / "docs/trust-policy.json").read_text())["Statement"]
    account = yaml.safe_load((ROOT / "k8s/base/service-account.yaml").read_text())["metadata"]["name"]
    namespace = yaml.safe_load((ROOT / "k8s/base/kustomization.yaml").read_text())["namespace"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {"StringEquals": {
        "OIDC_PROVIDER:sub": f"system:serviceaccount:{namespace}:{account}", "OIDC_PROVIDER:aud": "sts.amazonaws.com"}}
