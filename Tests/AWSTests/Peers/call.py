"""Calls AWS as boto3 does: {"service", "operation", "parameters", "endpoint"} on standard input, the answer as JSON."""

import json
import sys

import boto3

order = json.load(sys.stdin)
client = boto3.client(
    order["service"],
    endpoint_url=order["endpoint"],
    region_name="eu-west-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
json.dump(getattr(client, order["operation"])(**order["parameters"]), sys.stdout, default=str)
