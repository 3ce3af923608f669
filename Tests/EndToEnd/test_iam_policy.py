"""The policy that the documentation offers grants what the worker calls, and nothing else."""

import json
import re

import boto3
from system import ROOT

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


def test_what_destroys_is_granted_on_what_belongs_to_users_alone():
    for statement in policy():
        if any(re.match(r"ec2:Delete", action) for action in listed(statement["Action"])):
            assert statement["Condition"] == {"Null": {"aws:ResourceTag/gpu-dev-user": "false"}}
