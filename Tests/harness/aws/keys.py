"""Who asks, whether the signature is theirs and of this hour, and what they may do."""

import base64
import datetime
import fnmatch
import hmac
import itertools
import re
import secrets
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from harness.aws.call import Call, Refusal
from harness.aws.proxy import REQUEST_ID, Answer

PERMISSIONS = {"ListObjectsV2": "s3:ListBucket", "HeadObject": "s3:GetObject"}
TAGGING = {"CreateVolume", "CreateSnapshot", "CreateTargetGroup", "CreateRule"}
FREE = {"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"}
OLDEST = 300
"""Seconds that a signature may be away from AWS's time (IAM User Guide, Signature Version 4)."""


class Clock:
    """AWS's time, which may be another than the client's."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.code: str | None = None

    def run_ahead(self, minutes: float, code: str | None = None) -> None:
        """Puts AWS's clock ahead of the client's, or behind it with a negative number.

        `code` is what signatures of a wrong time are refused with, where it is not the usual one of the service.
        """
        self._ahead = minutes * 60
        self.code = code

    def now(self) -> float:
        return time.time() + self._ahead


class Keys:
    """Access keys; those of a role last for a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._secrets = {"test": "test"}
        self._tokens: dict[str, str] = {}
        self._ends: dict[str, float] = {}
        self._trusted: set[str] = set()
        self._seconds = 3600.0
        self._numbers = itertools.count(1)

    # What a test says

    def trust(self, token: str) -> None:
        """Makes this web identity token the only one that a role can be assumed with."""
        self._trusted = {token}

    def last(self, seconds: float) -> None:
        """From now on the keys of a role last so long."""
        self._seconds = seconds

    def expire(self) -> None:
        """Ends all keys of a role that have been given out, sooner than was told."""
        self._ends = dict.fromkeys(self._ends, 0.0)

    @property
    def issued(self) -> list[str]:
        """The access keys that roles were assumed with, oldest first."""
        return list(self._ends)

    # What AWS does

    def assume_role(self, call: Call) -> Answer:
        """AssumeRoleWithWebIdentity, which is not signed."""
        if call.parameters.get("WebIdentityToken") not in self._trusted:
            raise Refusal("ExpiredTokenException", "Token expired: the web identity token is expired or not valid")
        key, secret, token = f"ASIA{next(self._numbers):016}", secrets.token_hex(20), secrets.token_hex(40)
        self._secrets[key], self._tokens[key] = secret, token
        self._ends[key] = self._clock.now() + self._seconds
        end = datetime.datetime.fromtimestamp(self._ends[key], datetime.UTC)
        role = call.parameters.get("RoleArn", "")
        return Answer(200, (
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleWithWebIdentityResult><Credentials>"
            f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
            f"<SessionToken>{token}</SessionToken><Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            f"<AssumedRoleUser><AssumedRoleId>AROA:gpudev</AssumedRoleId><Arn>{role}</Arn></AssumedRoleUser>"
            f"</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId>"
            "</ResponseMetadata></AssumeRoleWithWebIdentityResponse>").encode())

    def check(self, call: Call) -> None:
        """Refuses a request whose signature is not good now."""
        if call.action == "AssumeRoleWithWebIdentity":
            return
        authorization = call.headers.get("Authorization", "")
        fields = dict(field.strip().partition("=")[::2] for field in authorization.partition(" ")[2].split(","))
        if not authorization.startswith("AWS4-HMAC-SHA256 ") or not fields.keys() >= {"Credential", "Signature"}:
            raise Refusal("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        key, _, region, service, _ = fields["Credential"].split("/")
        self._check_key(call, key)
        self._check_time(call)
        signed = fields["SignedHeaders"].split(";")
        if not hmac.compare_digest(self._signature(call, key, region, service, signed), fields["Signature"]):
            raise Refusal(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
                " Access Key and signing method. Consult the service documentation for details.", 403)

    def _check_key(self, call: Call, key: str) -> None:
        is_ec2 = call.service == "ec2"
        if key not in self._secrets or call.headers.get("X-Amz-Security-Token") != self._tokens.get(key):
            raise Refusal(
                *("AuthFailure", "AWS was not able to validate the provided access credentials", 401) if is_ec2
                else ("InvalidClientTokenId", "The security token included in the request is invalid.", 403))
        if self._clock.now() >= self._ends.get(key, float("inf")):
            raise Refusal(
                *("RequestExpired", "Request has expired.", 400) if is_ec2
                else ("ExpiredTokenException" if call.service == "eks" else "ExpiredToken",
                      "The security token included in the request is expired", 403))

    def _check_time(self, call: Call) -> None:
        text = call.headers.get("X-Amz-Date", "")
        signed_at = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC).timestamp()
        behind = self._clock.now() - signed_at
        if abs(behind) <= OLDEST:
            return
        code, status, message = {
            "ec2": ("RequestExpired", 400, "Request has expired."),
            "s3": (
                "RequestTimeTooSkewed", 403,
                "The difference between the request time and the current time is too large."),
        }.get(call.service, (
            "SignatureDoesNotMatch", 403,
            f"Signature expired: {text} is now earlier than the time of AWS" if behind > 0
            else f"Signature not yet current: {text} is still later than the time of AWS"))
        raise Refusal(self._clock.code or code, message, status)

    def _signature(self, call: Call, key: str, region: str, service: str, signed: list[str]) -> str:
        """What botocore signs the same request with."""
        kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
        auth = kind(botocore.credentials.Credentials(key, self._secrets[key]), service, region)
        headers = {name: value for name, value in call.headers.items() if name.lower() in signed}
        request = botocore.awsrequest.AWSRequest(
            call.method, f"http://{call.headers['Host']}{call.path}", headers, call.body)
        request.context["timestamp"] = call.headers["X-Amz-Date"]
        return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


class Permissions:
    """What the worker's role may do: everything, until a test says otherwise."""

    def __init__(self) -> None:
        self._granted = ["*"]
        self._forbidden: set[str] = set()

    # What a test says

    def forbid(self, action: str) -> None:
        """Takes an operation of a service away, such as `ec2:CreateSnapshot`."""
        self._forbidden.add(action)

    def allow(self, action: str) -> None:
        self._forbidden.discard(action)

    def grant_only(self, policy: dict) -> None:
        """Allows what the statements of a policy document name, on whatever resources."""
        self._granted = [
            action for statement in policy["Statement"] if statement["Effect"] == "Allow"
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])]

    # What AWS does

    def check(self, call: Call) -> None:
        for action in self._needed(call):
            is_granted = any(fnmatch.fnmatchcase(action, pattern) for pattern in self._granted)
            if action not in FREE and (action in self._forbidden or not is_granted):
                raise self._refusal(call, action)

    @staticmethod
    def _needed(call: Call) -> list[str]:
        """What one call takes; tags that are given with a create need a permission of their own."""
        needed = [PERMISSIONS.get(call.action, f"{call.service}:{call.action}")]
        if call.action in TAGGING and any(re.match(r"Tags?\.|TagSpec", key) for key in call.parameters):
            needed.append("ec2:CreateTags" if call.service == "ec2" else f"{call.service}:AddTags")
        return needed

    @staticmethod
    def _refusal(call: Call, action: str) -> Refusal:
        if call.service == "ec2":
            blob = base64.urlsafe_b64encode(secrets.token_bytes(300)).decode()
            return Refusal(
                "UnauthorizedOperation",
                f"You are not authorized to perform this operation. Encoded authorization failure message: {blob}", 403)
        if call.service == "s3":
            return Refusal("AccessDenied", "Access Denied", 403)
        role = "arn:aws:sts::123456789012:assumed-role/gpudev-worker/pod"
        code = "AccessDeniedException" if call.service == "eks" else "AccessDenied"
        return Refusal(code, f"User: {role} is not authorized to perform: {action}", 403)
