"""A server between the worker and AWS that can delay, answer for itself, garble, or strike at a chosen request."""

import dataclasses
import email.utils
import http.client
import http.server
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping

from harness.machine import scaled
from harness.network.local_server import LocalServer

REQUEST_ID = "11112222-3333-4444-5555-666677778888"
ANY = "any action"
OURS = ("connection", "content-length", "date", "server", "transfer-encoding")
"""Headers that this server writes by itself."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What goes back to the worker, faithful or not."""

    status: int
    content: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/xml"),)
    announced: int | None = None
    """The length that the head tells, where it is not the true one."""
    is_last: bool = False
    """Whether the connection is closed after it."""

    def but(self, **changes) -> "Answer":
        return dataclasses.replace(self, **changes)


CUT = Answer(0, b"")
"""No answer: the connection is closed."""


def service_of(headers: Mapping[str, str]) -> str:
    """The name that a request is signed for; empty if it is not signed."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization") or "")
    return scope[1] if scope else ""


def refusal(service: str, code: str, message: str, status: int) -> Answer:
    """The error document of a service.

    Source: the protocols that botocore's service models name (`ec2`, `query`, `rest-xml`, `rest-json`), and the error
    examples of the services' API references.
    """
    if service == "eks":
        kind = (("Content-Type", "application/json"), ("x-amzn-ErrorType", code), ("x-amzn-RequestId", REQUEST_ID))
        return Answer(status, json.dumps({"message": message}).encode(), kind)
    message = message.replace("&", "&amp;").replace("<", "&lt;")
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
    elif service == "s3":
        text = f"<Error>{error}<RequestId>{REQUEST_ID}</RequestId></Error>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>{REQUEST_ID}</RequestId>"
            "</ErrorResponse>")
    headers = (("Content-Type", "text/xml"), ("x-amzn-RequestId", REQUEST_ID))
    return Answer(status, ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode(), headers)


@dataclasses.dataclass(frozen=True)
class Refused:
    """A refusal that takes the form of whatever service it is that refuses."""

    status: int
    code: str


class AWSProxy(LocalServer):
    """Forwards everything, but does what is asked at requests for one action, or for any."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urllib.parse.urlparse(upstream)
        self.seen: list[str] = []
        self._before: dict[str, Callable[[int], tuple[int, str] | Refused | None]] = {}
        self._after: dict[str, Callable[[], None]] = {}
        self._garble: Callable[[Answer], Answer] = lambda answer: answer
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.handle(self, body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def before(self, action: str, do: Callable[[int], tuple[int, str] | Refused | None]) -> None:
        """Calls `do` with the number of the request, from 1; what it returns is answered instead."""
        self._before[action] = do

    def after(self, action: str, do: Callable[[], None]) -> None:
        """Calls `do` when AWS has answered and the worker has not heard it yet."""
        self._after[action] = do

    def delay(self, action: str, seconds: float) -> None:
        self.before(action, lambda _: time.sleep(seconds))

    def refuse(self, action: str, status: int, code: str, times: int = 10**9) -> None:
        """Refuses so many times, in the form of the service that is asked."""
        answer = Refused(status, code)
        self.before(action, lambda number: answer if number <= times else None)

    def garble(self, do: Callable[[Answer], Answer]) -> None:
        """Sends on what `do` makes of each answer, when AWS has done what it was asked."""
        self._garble = do

    def restore(self) -> None:
        """Forwards everything again, as it is."""
        self._before.clear()
        self._after.clear()
        self._garble = lambda answer: answer

    def count(self, action: str) -> int:
        return len(self.seen) if action == ANY else self.seen.count(action)

    def handle(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        action = self.action(request, body)
        self.seen.append(action)
        answer = self._own_answer(action, request) or self._garble(self.answer(request, body))
        if action in self._after:
            self._after[action]()
        if answer is CUT:
            request.close_connection = True
            return
        try:
            request.send_response_only(answer.status)
            for name, value in (("Date", email.utils.formatdate(self.now(), usegmt=True)), *answer.headers):
                request.send_header(name, value)
            length = len(answer.content) if answer.announced is None else answer.announced
            request.send_header("Content-Length", str(length))
            request.end_headers()
            request.wfile.write(answer.content)
        except OSError:
            pass  # the worker has gone
        request.close_connection = request.close_connection or answer.is_last

    def action(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> str:
        """What requests are known by: the operation of a form, otherwise the path."""
        return urllib.parse.parse_qs(body.decode(errors="replace")).get("Action", [request.path])[0]

    def now(self) -> float:
        """The time that answers tell."""
        return time.time()

    def answer(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> Answer:
        return self.forward(request.command, request.path, dict(request.headers), body)

    def _own_answer(self, action: str, request: http.server.BaseHTTPRequestHandler) -> Answer | None:
        for name in (action, ANY):
            if do := self._before.get(name):
                answer = do(self.count(name))
                if isinstance(answer, Refused):
                    return refusal(service_of(request.headers), answer.code, "as the test wants it", answer.status)
                return Answer(answer[0], answer[1].encode()) if answer else None
        return None

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self._upstream.hostname, self._upstream.port, timeout=scaled(60))
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in OURS]
        connection.close()
        return Answer(response.status, content, tuple(kept))
