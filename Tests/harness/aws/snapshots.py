"""Snapshots that take their time, end in error, or are needed by an image."""

import time

from harness.aws.call import Call, Refusal, put, read_xml, write_xml
from harness.aws.proxy import Answer

MOST_PENDING = 5
"""Of one gp2 or gp3 volume (Amazon EC2 API Reference, CreateSnapshot)."""


class Snapshots:
    """The states of the snapshots that were begun since the peer was told to hold or to delay them."""

    def __init__(self, peer) -> None:
        self._peer = peer
        self._seconds: float | None = 0
        self._ends: dict[str, float] = {}
        self._states: dict[str, str] = {}
        self._volumes: dict[str, str] = {}
        self._protected: set[str] = set()
        self._shown_at: dict[str, float] = {}
        self._hiding = 0.0

    # What a test says

    def hold(self) -> None:
        """From now on a snapshot that is begun stays pending until it is finished."""
        self._seconds = None

    def take(self, seconds: float) -> None:
        """From now on a snapshot that is begun completes after so many seconds."""
        self._seconds = seconds

    def finish(self, snapshot: str | None = None, state: str = "completed") -> None:
        """Ends a pending snapshot, or all of them, as `completed`, `error`, `recoverable` or `recovering`."""
        for each in [snapshot] if snapshot else self.pending:
            self._ends[each] = 0
            self._states[each] = state

    def release(self) -> None:
        """Completes all that are pending; from now on snapshots complete at once."""
        self._seconds = 0
        self.finish()

    def hide_new(self, seconds: float) -> None:
        """From now on a snapshot that is begun is not listed for so long, as eventual consistency allows."""
        self._hiding = seconds

    def protect(self, snapshot: str) -> None:
        """Makes an image need the snapshot, which can then not be deleted."""
        self._protected.add(snapshot)

    @property
    def pending(self) -> list[str]:
        return [snapshot for snapshot in self._ends if self.state(snapshot) == "pending"]

    def state(self, snapshot: str) -> str:
        if time.monotonic() < self._ends.get(snapshot, 0):
            return "pending"
        return self._states.get(snapshot, "completed")

    # What AWS does

    def create(self, call: Call) -> Answer:
        volume = call.parameters.get("VolumeId", "")
        self._peer.volumes.must_be(volume, "available", "in-use", "error")
        if sum(self._volumes.get(each) == volume for each in self.pending) >= MOST_PENDING:
            raise Refusal(
                "ConcurrentSnapshotLimitExceeded",
                f"Maximum allowed in-progress snapshots for a single volume exceeded. (limit: {MOST_PENDING})")
        answer = self._peer.pass_on(call)
        if answer.status != 200:
            return answer
        root = read_xml(answer.content)
        snapshot = root.findtext("snapshotId")
        self._volumes[snapshot] = volume
        self._ends[snapshot] = float("inf") if self._seconds is None else time.monotonic() + self._seconds
        self._shown_at[snapshot] = time.monotonic() + self._hiding
        # Even one that takes no time is not complete when CreateSnapshot returns.
        put(root, "status", "pending")
        put(root, "progress", "0%")
        return answer.but(content=write_xml(root))

    def describe(self, call: Call) -> Answer:
        wanted = call.filters().get("status")
        for each in call.values("SnapshotId"):
            if self._is_hidden(each):
                raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{each}' does not exist.")
        answer = self._peer.pages.all_of(call, "status")
        if answer.status != 200:
            return answer
        root = read_xml(answer.content)
        listed = root.find("snapshotSet")
        for item in list(listed if listed is not None else ()):
            state = self.state(item.findtext("snapshotId"))
            if wanted and state not in wanted or self._is_hidden(item.findtext("snapshotId")):
                listed.remove(item)
            put(item, "status", state)
            put(item, "progress", "7%" if state == "pending" else "100%")
        return self._peer.pages.cut(call, answer, root, "snapshotSet")

    def _is_hidden(self, snapshot: str) -> bool:
        return time.monotonic() < self._shown_at.get(snapshot, 0)

    def delete(self, call: Call) -> Answer:
        snapshot = call.parameters.get("SnapshotId", "")
        if snapshot in self._protected:
            raise Refusal(
                "InvalidSnapshot.InUse", f"The snapshot {snapshot} is currently in use by ami-0123456789abcdef0")
        answer = self._peer.pass_on(call)
        if answer.status == 200:
            self._ends.pop(snapshot, None)
        return answer
