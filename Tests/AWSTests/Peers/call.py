"""Calls AWS as boto3 does: for each line {"service", "operation", "parameters", "endpoint"} one line with the answer."""

import json
import sys

import boto3

clients = {}
for line in sys.stdin:
    order = json.loads(line)
    place = (order["service"], order["endpoint"])
    if place not in clients:
        clients[place] = boto3.client(
            order["service"],
            endpoint_url=order["endpoint"],
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
    answer = getattr(clients[place], order["operation"])(**order["parameters"])
    print(json.dumps(answer, default=str), flush=True)
