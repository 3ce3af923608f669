"""An OpenTelemetry collector: takes what the protocol's own schema lets it take, and keeps the spans."""

import base64
import http.server
import json
import time
from typing import NamedTuple

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from harness.network.local_server import LocalServer

ID_FIELDS = ("traceId", "spanId", "parentSpanId")


class Span(NamedTuple):
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict
    links: list[tuple[str, str]]
    """Trace and span of each."""
    error: str | None
    """What the status says; none if it is no error."""
    seconds: float


def in_base64(value):
    """OTLP writes ids as hexadecimal digits, where protobuf's own JSON has base64."""
    if isinstance(value, list):
        return [in_base64(element) for element in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(each)).decode() if key in ID_FIELDS else in_base64(each)
            for key, each in value.items()}
    return value


def plain(attributes) -> dict:
    values = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        values[attribute.key] = getattr(attribute.value, kind)
    return values


def span_of(span: trace_pb2.Span) -> Span:
    status = span.status
    assert len(span.trace_id) == 16 and len(span.span_id) == 8 and len(span.parent_span_id) in (0, 8)
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    return Span(
        span.name, trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(), span.trace_id.hex(),
        span.span_id.hex(), span.parent_span_id.hex(), plain(span.attributes),
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        status.message if status.code == trace_pb2.Status.STATUS_CODE_ERROR else None,
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9)


class Collector(LocalServer):
    """Listens at `url` for OTLP over HTTP, in JSON only."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, bytes]] = []
        """What the next requests are answered with, before what is good is taken again."""
        self.silence = 0.0
        """How many seconds pass before an answer."""
        self.faults: list[str] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # noqa: N802
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = collector.take(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        time.sleep(self.silence)
        self.headers.append({name.lower(): value for name, value in headers.items()})
        if self.answers:
            return self.answers.pop(0)
        try:
            assert path == "/v1/traces" and headers["Content-Type"] == "application/json"
            request = json_format.ParseDict(in_base64(json.loads(body)), ExportTraceServiceRequest())
            for group in request.resource_spans:
                self.resources.append(plain(group.resource.attributes))
                self.spans += [span_of(span) for scope in group.scope_spans for span in scope.spans]
        except Exception as fault:  # noqa: BLE001
            self.faults.append(f"{fault!r} in {body[:2000]!r}")
            return 400, b"{}"
        return 200, b"{}"

    def of(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace == trace]

    def processed(self, job: str) -> list[Span]:
        """The spans of a job's starts, oldest first."""
        return [
            span for span in self.spans
            if span.kind == "consumer" and span.attributes["messaging.message.id"] == job]

    def under(self, parent: Span) -> list[Span]:
        """Its children, by name."""
        return sorted(span for span in self.spans if (span.trace, span.parent) == (parent.trace, parent.id))

    def close(self) -> None:
        super().close()
        assert not self.faults, self.faults
