"""What one request asks of AWS, and the documents that AWS answers with."""

import dataclasses
import functools
import http.server
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

from harness.aws.proxy import Answer, refusal, service_of

REST_OPERATIONS = [
    ("POST", r"/2013-04-01/hostedzone/[^/]+/rrset/?", "ChangeResourceRecordSets"),
    ("GET", r"/2013-04-01/hostedzone/[^/]+/rrset/?", "ListResourceRecordSets"),
    ("GET", r"/2013-04-01/change/[^/]+", "GetChange"),
    ("GET", r"/clusters/[^/]+", "DescribeCluster"),
]
OBJECT_OPERATIONS = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
THROTTLING = {
    "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "s3": (503, "SlowDown", "Please reduce your request rate."),
    "eks": (429, "TooManyRequestsException", "Too many requests"),
}


class Refusal(Exception):
    """AWS's refusal of a call."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)
        self.code, self.message, self.status = code, message, status


@dataclasses.dataclass(frozen=True)
class Call:
    """One request, as AWS understands it."""

    method: str
    path: str
    headers: dict[str, str]
    """By name with capitals, such as `X-Amz-Date`."""
    body: bytes

    @classmethod
    def of(cls, request: http.server.BaseHTTPRequestHandler, body: bytes) -> "Call":
        headers = {name.title(): value for name, value in request.headers.items()}
        return cls(request.command, request.path, headers, body)

    @functools.cached_property
    def parameters(self) -> dict[str, str]:
        """Those of a form."""
        if self.query or not self.body[:7] == b"Action=" and b"&Action=" not in self.body:
            return {}
        return dict(urllib.parse.parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    @property
    def query(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.path.partition("?")[2], keep_blank_values=True))

    @property
    def service(self) -> str:
        """The name that the request is signed for."""
        return service_of(self.headers) or ("sts" if self.parameters else "s3")

    @property
    def action(self) -> str:
        if name := self.parameters.get("Action"):
            return name
        path = self.path.partition("?")[0]
        for method, pattern, name in REST_OPERATIONS:
            if method == self.method and re.fullmatch(pattern, path):
                return name
        is_bucket = path.count("/") == 1 or path.endswith("/") and path.count("/") == 2
        return "ListObjectsV2" if is_bucket and self.method == "GET" else OBJECT_OPERATIONS.get(self.method, path)

    def values(self, name: str) -> list[str]:
        """The members of a list, which EC2 writes `VolumeId.1` and others `Names.member.1`."""
        pattern = re.compile(rf"{re.escape(name)}\.(?:member\.)?(\d+)")
        found = ((pattern.fullmatch(key), value) for key, value in self.parameters.items())
        return [value for _, value in sorted((int(match[1]), value) for match, value in found if match)]

    def filters(self) -> dict[str, list[str]]:
        """The filters of a describing call of EC2."""
        return {
            value: self.values(f"Filter.{key.split('.')[1]}.Value")
            for key, value in self.parameters.items() if re.fullmatch(r"Filter\.\d+\.Name", key)}

    def without(self, *names: str) -> "Call":
        """The same form without these parameters, and without the filters that have these names."""
        numbers = {
            key.split(".")[1] for key, value in self.parameters.items()
            if re.fullmatch(r"Filter\.\d+\.Name", key) and value in names}
        kept = {
            key: value for key, value in self.parameters.items()
            if key not in names and not (key.startswith("Filter.") and key.split(".")[1] in numbers)}
        return dataclasses.replace(self, body=urllib.parse.urlencode(kept, quote_via=urllib.parse.quote).encode())

    def asking(self, **parameters: str) -> "Call":
        """Another form of the same version to the same service."""
        form = {"Version": self.parameters["Version"]} | parameters
        return dataclasses.replace(self, body=urllib.parse.urlencode(form).encode())

    def refused(self, code: str, message: str, status: int = 400) -> Answer:
        """The error document of this call's service."""
        return refusal(self.service, code, message, status)

    def throttled(self) -> Answer:
        status, code, message = THROTTLING.get(self.service, (400, "Throttling", "Rate exceeded"))
        return self.refused(code, message, status)


def read_xml(content: bytes) -> ElementTree.Element:
    """The root of a document; names are without their namespace, which stays on the root."""
    root = ElementTree.fromstring(content.strip())
    namespace = root.tag.partition("}")[0].lstrip("{") if root.tag.startswith("{") else ""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if namespace:
        root.set("xmlns", namespace)
    return root


def write_xml(root: ElementTree.Element) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="utf-8")


def put(parent: ElementTree.Element, name: str, text: str) -> None:
    """Gives the element a child of this name and text, in place of one that is there."""
    child = parent.find(name)
    if child is None:
        child = ElementTree.SubElement(parent, name)
    child.text = text
