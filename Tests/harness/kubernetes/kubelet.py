"""What the kubelets and a Deployment do for the worker's pods: start, probe, restart, replace, drain.

The probes are those of k8s/base/deployment.yaml, with shorter periods.
"""

import itertools
import signal
import threading
import time
from collections.abc import Callable

import yaml

from harness.machine import scaled
from harness.repository import ROOT
from harness.waiting import eventually
from harness.worker import Replica

MANIFEST = yaml.safe_load((ROOT / "k8s/base/deployment.yaml").read_text())["spec"]
SPEC = MANIFEST["template"]["spec"]
HASTE = 20
"""How many times shorter periods and `minReadySeconds` are; timeouts and graces are what they are."""


class Probe:
    """Counts what a probe says; both `successThreshold`s are 1."""

    def __init__(self, name: str) -> None:
        self._spec = SPEC["containers"][0][f"{name}Probe"]
        self._due = 0.0
        self._failures = 0
        self.told = ""
        """The latest answer."""

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    def ask(self, replica: Replica) -> bool | None:
        """Yes, no, or not yet certain."""
        self._due = time.monotonic() + self._spec["periodSeconds"] / HASTE
        try:
            answer = replica.admin.ask(self._spec["httpGet"]["path"], timeout=self._spec["timeoutSeconds"])
            is_good, self.told = 200 <= answer.status < 400, answer.text
        except OSError as error:
            is_good, self.told = False, repr(error)
        self._failures = 0 if is_good else self._failures + 1
        if is_good:
            return True
        return False if self._failures >= self._spec["failureThreshold"] else None


class Pod:
    """One pod and the kubelet that looks after it."""

    def __init__(self, name: str, node: str, start: Callable[[], Replica]) -> None:
        self.name, self.node = name, node
        self.ready_since: float | None = None
        self.restarts: list[str] = []
        """Why its container was started again, each time."""
        self.exit_code: int | None = None
        self.is_leaving = False
        self._start = start
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_available(self) -> bool:
        """Ready for `minReadySeconds`, and to stay."""
        since = self.ready_since
        return not self.is_leaving and since is not None and (
            time.monotonic() - since >= MANIFEST["minReadySeconds"] / HASTE)

    @property
    def is_gone(self) -> bool:
        return not self._thread.is_alive()

    def leave(self) -> None:
        """Its kubelet is told to end it in order."""
        self.is_leaving = True

    def join(self) -> None:
        self._thread.join(scaled(30))

    def _run(self) -> None:
        while not self.is_leaving:
            self._replica = self._start()
            if reason := self._watch():
                self.restarts.append(reason)
                self._end()
        self.exit_code = self._end()

    def _watch(self) -> str | None:
        """Why the container must be started again; nothing if the pod is to go."""
        startup, readiness, liveness = (Probe(name) for name in ("startup", "readiness", "liveness"))
        has_started = False
        while not self.is_leaving:
            if not self._replica.is_alive:
                return f"it ended with {self._replica.process.returncode}"
            if not has_started and startup.is_due():
                has_started = startup.ask(self._replica)
                if has_started is False:
                    return "it did not start"
            if has_started and readiness.is_due():
                self._note(readiness.ask(self._replica))
            if has_started and liveness.is_due() and liveness.ask(self._replica) is False:
                return f"liveness: {liveness.told}"
            time.sleep(0.02)
        return None

    def _note(self, is_ready: bool | None) -> None:
        if is_ready is False:
            self.ready_since = None
        elif is_ready and self.ready_since is None:
            self.ready_since = time.monotonic()

    def _end(self) -> int:
        """SIGTERM, and SIGKILL when the grace is over."""
        self.ready_since = None
        if self._replica.is_alive:
            self._replica.send(signal.SIGTERM)
            deadline = time.monotonic() + scaled(SPEC["terminationGracePeriodSeconds"])
            while self._replica.is_alive and time.monotonic() < deadline:
                time.sleep(0.02)
        self._replica.kill()
        return self._replica.process.returncode


class Deployment:
    """A number of pods of one template, on two nodes in turn; `start` makes a replica of a template."""

    def __init__(self, start: Callable[..., Replica], count: int, **template: str) -> None:
        self._start = start
        self._starting = threading.Lock()
        self._template = template
        self._names = itertools.count(1)
        self.pods: list[Pod] = []
        """All that there ever were."""
        self.scale(count)

    @property
    def staying(self) -> list[Pod]:
        return [pod for pod in self.pods if not pod.is_leaving]

    def scale(self, count: int) -> None:
        """Returns when as many are available, and those that are too many have gone."""
        for _ in range(count - len(self.staying)):
            self._add()
        leaving = self.staying[count:]
        self._dismiss(leaving)
        self._settle(leaving)

    def roll(self, **template: str) -> None:
        """Replaces each pod by one of another template: one more at a time, and never one less."""
        self._template = template
        leaving = self.staying
        for pod in leaving:
            coming = self._add()
            eventually(f"{coming.name} is available", lambda: coming.is_available)  # noqa: B023
            self._dismiss([pod])
        self._settle(leaving)

    def drain(self, node: str) -> None:
        """All pods of a node are told to go at once, and replaced meanwhile on others."""
        leaving = [pod for pod in self.staying if pod.node == node]
        self._dismiss(leaving)
        for _ in leaving:
            self._add(besides=node)
        self._settle(leaving)

    def close(self) -> None:
        self._dismiss(self.staying)
        for pod in self.pods:
            pod.join()

    def _add(self, besides: str = "") -> Pod:
        number = next(self._names)
        node = next(node for node in (("b", "a") if number % 2 else ("a", "b")) if node != besides)
        template = dict(self._template)
        self.pods.append(Pod(f"worker-{number}", node, lambda: self._started(template)))
        return self.pods[-1]

    def _started(self, template: dict[str, str]) -> Replica:
        # Replicas that begin at the same moment would share a log, and with it what it says of the port.
        with self._starting:
            return self._start(**template)

    @staticmethod
    def _dismiss(pods: list[Pod]) -> None:
        for pod in pods:
            pod.leave()

    def _settle(self, leaving: list[Pod]) -> None:
        eventually("all pods are available", lambda: all(pod.is_available for pod in self.staying))
        eventually("those that leave have gone", lambda: all(pod.is_gone for pod in leaving))
