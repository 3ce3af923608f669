"""An AWS for tests: a server that answers as moto does where moto is right, and as AWS does where it is not.

Where nothing is said, all goes well and at once. What a test says reads like a sentence:

    aws.snapshots.hold()                          a snapshot stays pending ...
    aws.snapshots.finish(snapshot, "error")       ... until the test ends it
    aws.snapshots.take(seconds=2)                 or ends by itself after a while
    aws.snapshots.protect(snapshot)               InvalidSnapshot.InUse
    aws.volumes.hold(), .finish(volume, "error")  the same for volumes that are being made
    aws.volumes.hold_detaching(), .detach(volume) and for those that come off
    aws.volumes.hide_new(seconds=2)               eventual consistency, as aws.snapshots.hide_new
    aws.pages.hold_at_most(2)                     lists come in small pages ...
    aws.pages.begin_empty(2)                      ... of which the first two are empty
    aws.routes.keep_groups_in_use(times=2)        ResourceInUse
    aws.records.be_busy(times=2)                  PriorRequestNotComplete
    aws.records.hold(), .finish()                 changes that are PENDING
    aws.clock.run_ahead(minutes=20)               signatures of our time are refused
    aws.keys.trust(token), .last(seconds=5)       a role for who brings the token, for a while
    aws.keys.expire()                             sooner than was told
    aws.permissions.forbid("ec2:CreateSnapshot")
    aws.throttle("DescribeVolumes", times=3)
    aws.limit("route53", per_second=5)
    aws.fail("CreateVolume", "VolumeLimitExceeded", times=1)
    aws.cut_before("CreateSnapshot")              the connection ends before AWS has heard it ...
    aws.cut_after("CreateSnapshot")               ... or when it has carried it out
    aws.truncate("DescribeVolumes"), aws.hesitate("DescribeVolumes", seconds=2)
    aws.fail_under_200("PutObject", "InternalError")
    aws.count("CreateSnapshot"), aws.calls        what was asked
    aws.meant                                     the same, each request once however often it was sent

Operations of all services have their names here, those that are not forms too.
"""

import functools
import http.server
import threading
import time
from collections import deque
from collections.abc import Callable

import boto3

from harness.aws import bounds
from harness.aws.call import Call, Refusal
from harness.aws.keys import Clock, Keys, Permissions
from harness.aws.pages import Pages
from harness.aws.proxy import CUT, Answer, AWSProxy
from harness.aws.records import Records
from harness.aws.routes import Routes
from harness.aws.snapshots import Snapshots
from harness.aws.volumes import Volumes

Fault = Callable[[Call, Callable[[], Answer]], Answer]
"""Answers a call; the second argument carries it out."""


class AWSPeer(AWSProxy):
    """Judges each request as AWS would, then passes it on to a server that keeps the things."""

    def __init__(self, upstream: str) -> None:
        self.clock = Clock()
        self.keys = Keys(self.clock)
        self.permissions = Permissions()
        self.pages = Pages(self)
        self.snapshots = Snapshots(self)
        self.volumes = Volumes(self)
        self.routes = Routes(self)
        self.records = Records(self)
        self.calls: list[Call] = []
        self._faults: dict[str, list[Fault]] = {}
        self._limits: dict[str, tuple[int, deque[float]]] = {}
        self._lock = threading.RLock()
        self._own = {
            "CreateSnapshot": self.snapshots.create, "DescribeSnapshots": self.snapshots.describe,
            "DeleteSnapshot": self.snapshots.delete, "CreateVolume": self.volumes.create,
            "DescribeVolumes": self.volumes.describe, "AttachVolume": self.volumes.attach,
            "DetachVolume": self.volumes.detach_when_told, "DeleteVolume": self.volumes.delete,
            "CreateTargetGroup": self.routes.create_group, "DescribeTargetGroups": self.routes.describe_groups,
            "DeleteTargetGroup": self.routes.delete_group, "RegisterTargets": self.routes.register,
            "CreateRule": self.routes.create_rule, "ModifyRule": self.routes.change_rule,
            "DeleteRule": self.routes.delete_rule, "ChangeResourceRecordSets": self.records.change,
            "GetChange": self.records.change_status, "AssumeRoleWithWebIdentity": self.keys.assume_role,
        }
        self.clients = functools.cache(lambda service: boto3.client(service, endpoint_url=upstream))
        super().__init__(upstream)

    # What a test says

    def throttle(self, action: str, times: int = 1) -> None:
        """Asks for fewer requests so many times, then serves again."""
        self._add(action, times, lambda call, _: call.throttled())

    def limit(self, service: str, per_second: int) -> None:
        """Throttles a service beyond so many requests a second; Route 53 gives an account five."""
        self._limits[service] = (per_second, deque())

    def fail(self, action: str, code: str, status: int = 400, times: int = 1) -> None:
        """Refuses so many times with this code."""
        self._add(action, times, lambda call, _: call.refused(code, "as the test wants it", status))

    def fail_under_200(self, action: str, code: str, times: int = 1) -> None:
        """Says so many times that all is well, over a document that says that it is not."""
        self._add(action, times, lambda call, _: call.refused(code, "We encountered an internal error.", 200))

    def cut_before(self, action: str, times: int = 1) -> None:
        """Ends the connection so many times before AWS has heard of the request."""
        self._add(action, times, lambda *_: CUT)

    def cut_after(self, action: str, times: int = 1) -> None:
        """Ends the connection so many times when AWS has done what it was asked."""

        def cut(_: Call, carry_out: Callable[[], Answer]) -> Answer:
            carry_out()
            return CUT

        self._add(action, times, cut)

    def truncate(self, action: str, times: int = 1) -> None:
        """Sends so many times the first half of the document alone."""

        def halve(_: Call, carry_out: Callable[[], Answer]) -> Answer:
            answer = carry_out()
            return answer.but(content=answer.content[:len(answer.content) // 2])

        self._add(action, times, halve)

    def hesitate(self, action: str, seconds: float, times: int = 1) -> None:
        """Carries out at once what it is asked, but sends the first byte so much later, so many times."""

        def wait(_: Call, carry_out: Callable[[], Answer]) -> Answer:
            answer = carry_out()
            time.sleep(seconds)
            return answer

        self._add(action, times, wait)

    def _add(self, action: str, times: int, fault: Fault) -> None:
        with self._lock:
            self._faults.setdefault(action, []).extend([fault] * times)

    @property
    def meant(self) -> list[str]:
        """The actions asked for, in order. The same request again is a repeat of one that took long, and left out."""
        with self._lock:
            requests = dict.fromkeys((call.action, call.method, call.path, call.body) for call in self.calls)
        return [action for action, *_ in requests]

    # What AWS does

    def now(self) -> float:
        return self.clock.now()

    def action(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> str:
        return Call.of(request, body).action

    def answer(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> Answer:
        call = Call.of(request, body)
        with self._lock:
            self.calls.append(call)
            faults = self._faults.get(call.action)
            fault = faults.pop(0) if faults else None
        if fault:
            return fault(call, lambda: self._judge(call))
        return self._judge(call)

    def _judge(self, call: Call) -> Answer:
        try:
            with self._lock:
                if self._is_over_limit(call.service):
                    return call.throttled()
                self.keys.check(call)
                self.permissions.check(call)
                bounds.check(call)
                return self._own.get(call.action, self.pass_on)(call)
        except Refusal as refusal:
            return call.refused(refusal.code, refusal.message, refusal.status)

    def _is_over_limit(self, service: str) -> bool:
        most, times = self._limits.get(service, (None, deque()))
        now = time.monotonic()
        while times and times[0] <= now - 1:
            times.popleft()
        if most is not None and len(times) >= most:
            return True
        times.append(now)
        return False

    def pass_on(self, call: Call) -> Answer:
        """What the server behind answers."""
        headers = {name: value for name, value in call.headers.items() if name != "Content-Length"}
        return self.forward(call.method, call.path, headers, call.body)
