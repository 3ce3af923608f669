"""Volumes that take their time to be made and to come off, and that are made once for each client token."""

import time

from harness.aws.call import Call, Refusal, put, read_xml, write_xml
from harness.aws.proxy import Answer


class Volumes:
    """What AWS does with volumes and the server behind the peer does not."""

    def __init__(self, peer) -> None:
        self._peer = peer
        self._are_held = False
        self._detaching_is_held = False
        self._states: dict[str, str] = {}
        self._detaching: dict[str, Call] = {}
        self._made: dict[str, tuple[dict, str]] = {}
        self._hidden: dict[str, float] = {}
        self._hiding = 0.0

    # What a test says

    def hold(self) -> None:
        """From now on a volume that is made stays `creating` until it is finished."""
        self._are_held = True

    def finish(self, volume: str | None = None, state: str = "available") -> None:
        """Ends the making of a volume, or of all of them, as `available` or `error`."""
        for each in [volume] if volume else self.creating:
            self._states[each] = state

    def release(self) -> None:
        """Finishes, detaches and shows all that are held or hidden; from now on all of it happens at once."""
        self._are_held = self._detaching_is_held = False
        self._hiding = 0.0
        self._hidden.clear()
        self.finish()
        for volume in self.detaching:
            self.detach(volume)

    def hold_detaching(self) -> None:
        """From now on a volume that is detached stays `detaching` until it comes off."""
        self._detaching_is_held = True

    def detach(self, volume: str) -> None:
        """Lets a volume come off that is `detaching`."""
        self._peer.pass_on(self._detaching.pop(volume))

    def hide_new(self, seconds: float) -> None:
        """From now on a volume that is made is not found for so long, as eventual consistency allows."""
        self._hiding = seconds

    @property
    def creating(self) -> list[str]:
        return [volume for volume, state in self._states.items() if state == "creating"]

    @property
    def detaching(self) -> list[str]:
        return list(self._detaching)

    # What AWS does

    def must_be(self, volume: str, *states: str) -> None:
        state = self._states.get(volume, states[0])
        if state not in states:
            raise Refusal("IncorrectState", f"The volume '{volume}' is '{state}'.")

    def create(self, call: Call) -> Answer:
        asked = {key: value for key, value in call.parameters.items() if key != "ClientToken"}
        token = call.parameters.get("ClientToken")
        if token in self._made:
            earlier, volume = self._made[token]
            if earlier != asked:
                raise Refusal(
                    "IdempotentParameterMismatch",
                    "The client token you have provided has been used with different parameters.")
            return self._again(call, volume)
        self._check_source(call)
        answer = self._peer.pass_on(call)
        if answer.status != 200:
            return answer
        root = read_xml(answer.content)
        volume = root.findtext("volumeId")
        if token:
            self._made[token] = (asked, volume)
        self._states[volume] = "creating" if self._are_held else "available"
        self._hidden[volume] = time.monotonic() + self._hiding
        put(root, "status", "creating")
        return answer.but(content=write_xml(root))

    def _again(self, call: Call, volume: str) -> Answer:
        """What CreateVolume answers to a token that it knows: the volume as it is now."""
        found = self._peer.clients("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]
        described = self._peer.pass_on(call.asking(Action="DescribeVolumes", **{"VolumeId.1": found["VolumeId"]}))
        item = read_xml(described.content).find("volumeSet")[0]
        item.tag = "CreateVolumeResponse"
        item.set("xmlns", "http://ec2.amazonaws.com/doc/2016-11-15/")
        put(item, "requestId", "r")
        put(item, "status", self._states.get(volume, "available"))
        return described.but(content=write_xml(item))

    def _check_source(self, call: Call) -> None:
        snapshot = call.parameters.get("SnapshotId")
        if not snapshot:
            return
        if (state := self._peer.snapshots.state(snapshot)) != "completed":
            raise Refusal("IncorrectState", f"Snapshot is in invalid state - {state}")
        found = self._peer.clients("ec2").describe_snapshots(Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])
        needed = found["Snapshots"][0]["VolumeSize"] if found["Snapshots"] else 0
        if int(call.parameters.get("Size", needed)) < needed:
            raise Refusal(
                "InvalidParameterValue",
                f"Volume of {call.parameters['Size']}GiB is smaller than snapshot '{snapshot}', expect size >="
                f" {needed}GiB")

    def describe(self, call: Call) -> Answer:
        self._refuse_hidden(call.values("VolumeId"))
        answer = self._peer.pages.all_of(call, "status", "attachment.status")
        if answer.status != 200:
            return answer
        root = read_xml(answer.content)
        listed = root.find("volumeSet")
        for item in list(listed if listed is not None else ()):
            self._show_state(item)
            if self._is_hidden(item.findtext("volumeId")) or not self._matches(item, call.filters()):
                listed.remove(item)
        return self._peer.pages.cut(call, answer, root, "volumeSet")

    def _show_state(self, item) -> None:
        volume = item.findtext("volumeId")
        if (state := self._states.get(volume)) in ("creating", "error"):
            put(item, "status", state)
        if volume in self._detaching:
            for attachment in item.iterfind("attachmentSet/item"):
                put(attachment, "status", "detaching")

    @staticmethod
    def _matches(item, filters: dict[str, list[str]]) -> bool:
        attachments = {each.findtext("status") for each in item.iterfind("attachmentSet/item")}
        return (
            item.findtext("status") in filters.get("status", [item.findtext("status")])
            and ("attachment.status" not in filters or not attachments.isdisjoint(filters["attachment.status"])))

    def _is_hidden(self, volume: str) -> bool:
        return time.monotonic() < self._hidden.get(volume, 0)

    def _refuse_hidden(self, volumes: list[str]) -> None:
        for volume in volumes:
            if self._is_hidden(volume):
                raise Refusal("InvalidVolume.NotFound", f"The volume '{volume}' does not exist.")

    def attach(self, call: Call) -> Answer:
        volume = call.parameters.get("VolumeId", "")
        self._refuse_hidden([volume])
        self.must_be(volume, "available")
        found = self._peer.clients("ec2").describe_volumes(VolumeIds=[volume])["Volumes"]
        if found and found[0].get("Attachments"):
            raise Refusal("VolumeInUse", f"{volume} is already attached to an instance")
        return self._peer.pass_on(call)

    def detach_when_told(self, call: Call) -> Answer:
        """DetachVolume."""
        volume = call.parameters.get("VolumeId", "")
        found = self._peer.clients("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]
        attachments = found.get("Attachments", [])
        if not attachments:
            raise Refusal("IncorrectState", f"Volume '{volume}' is in the 'available' state.")
        attachment = attachments[0]
        # The server behind wants to be told from where, AWS does not.
        exact = call.asking(
            Action="DetachVolume", VolumeId=volume, InstanceId=attachment["InstanceId"], Device=attachment["Device"])
        if not self._detaching_is_held:
            return self._peer.pass_on(exact)
        self._detaching[volume] = exact
        return Answer(200, (
            '<DetachVolumeResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
            f"<volumeId>{volume}</volumeId><instanceId>{attachment['InstanceId']}</instanceId>"
            f"<device>{attachment['Device']}</device><status>detaching</status>"
            "<attachTime>2025-01-02T03:04:05.000Z</attachTime></DetachVolumeResponse>").encode())

    def delete(self, call: Call) -> Answer:
        volume = call.parameters.get("VolumeId", "")
        self._refuse_hidden([volume])
        self.must_be(volume, "available", "error")
        if volume in self._detaching:
            raise Refusal("VolumeInUse", f"Volume {volume} is currently attached to an instance")
        return self._peer.pass_on(call)
