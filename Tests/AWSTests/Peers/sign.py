"""Signs requests as botocore does: a list of requests on standard input, a list of header maps or URLs as output."""

import datetime
import json
import sys
from unittest import mock

from botocore import auth, compat
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

answers = []
for order in json.load(sys.stdin):
    now = datetime.datetime.strptime(order["date"], "%Y%m%dT%H%M%SZ")
    credentials = Credentials(order["id"], order["secret"], order.get("token"))
    kinds = {
        "header": auth.S3SigV4Auth if order["service"] == "s3" else auth.SigV4Auth,
        "query": auth.S3SigV4QueryAuth if order["service"] == "s3" else auth.SigV4QueryAuth,
    }
    request = AWSRequest(
        method=order["method"],
        url=order["url"],
        headers=dict(order["headers"]),
        data=order["body"].encode(),
    )
    if order["service"] == "s3":
        request.context["payload_signing_enabled"] = True
    arguments = {"expires": order["expires"]} if order["kind"] == "query" else {}
    with mock.patch.object(auth, "get_current_datetime", lambda: now, create=True):
        kinds[order["kind"]](credentials, order["service"], order["region"], **arguments).add_auth(request)
    answers.append({"headers": {k.lower(): v for k, v in request.headers.items()}, "url": request.url})
json.dump(answers, sys.stdout)
