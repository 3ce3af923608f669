"""An AWS in which time can pass, and that knows what nobody outside can: whose data everything holds, and which version."""

import dataclasses
import datetime
import time

from harness.aws.call import Call, put, read_xml, write_xml
from harness.aws.peer import AWSPeer
from harness.aws.proxy import Answer

CHANGES = ("CreateVolume", "CreateSnapshot", "DeleteVolume", "DeleteSnapshot", "CreateTags", "DeleteTags", "DetachVolume")
COPIED = "vol-ffffffff"
"""The volume that EC2 gives for a copied snapshot (Amazon EC2 API Reference, CopySnapshot: an arbitrary id)."""
TIMES = ("gpu-dev-quarantined", "quarantine-timestamp", "quarantine-deletion-date")


@dataclasses.dataclass(frozen=True)
class Data:
    """Whose data something holds, as user and disk, and which version; an empty volume holds version 0."""

    owner: tuple[str, str] | None
    version: int


@dataclasses.dataclass(frozen=True)
class Thing:
    """A volume or snapshot as it is now, with what it holds."""

    id: str
    state: str
    volume: str | None
    """The volume that a snapshot was taken of, or the snapshot that a volume was made from."""
    begun: float
    tags: dict[str, str]
    data: Data
    is_attached: bool = False

    @property
    def disk(self) -> tuple[str, str] | None:
        """The disk that the tags name."""
        user, name = self.tags.get("gpu-dev-user"), self.tags.get("disk_name") or self.tags.get("disk-name")
        return (user, name) if user and name else None


@dataclasses.dataclass(frozen=True)
class Deed:
    """One call that changed, or copied, something, with what it was before and what snapshots there were beside it."""

    action: str
    resource: str
    data: Data
    tags: dict[str, str]
    snapshots: list[Thing]

    def __str__(self) -> str:
        owner = "/".join(self.data.owner) if self.data.owner else "nobody"
        return f"{self.action} {self.resource} of {owner}, version {self.data.version}"


class DiskCloud(AWSPeer):
    """Writes down every change, and has the worker die at one of them if it must."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.ec2 = self.clients("ec2")
        self.deeds: list[Deed] = []
        self.wrongs: list[str] = []
        self.holds: dict[str, Data] = {}
        self.strike = None
        """Kills the worker; called after so many more changes."""
        self.changes_left: int | None = None
        self.luck = lambda: ("completed", 0.0)
        """How a snapshot that the worker begins is to end, and after how many seconds of this world."""
        self._passed = 0.0
        self._born: dict[str, float] = {}
        self._ends: dict[str, tuple[float, str]] = {}
        self._copies: set[str] = set()
        for action in CHANGES:
            self._own[action] = self._watched(action, self._own.get(action, self.pass_on))
        for action in ("DescribeVolumes", "DescribeSnapshots"):
            self._own[action] = self._timed(self._own[action])

    # Time

    def now_here(self) -> float:
        return time.time() + self._passed

    def advance(self, seconds: float) -> None:
        """Every time moves into the past, as if so much had gone by; days in tags by whole days."""
        self._passed += seconds
        for thing in self.volumes_now() + self.snapshots_now():
            moved = {key: moved_time(thing.tags[key], seconds) for key in TIMES if key in thing.tags}
            if (mark := thing.tags.get("delete-date")) and seconds >= 86_400:
                moved["delete-date"] = str(datetime.date.fromisoformat(mark) - datetime.timedelta(seconds=seconds))
            if moved:
                self.tag(thing.id, **moved)
        self.settle()

    def settle(self) -> None:
        """Ends the snapshots whose time has come."""
        for snapshot, (end, state) in list(self._ends.items()):
            if end <= self.now_here():
                del self._ends[snapshot]
                self.snapshots.finish(snapshot, state)

    def add(self, resource: str, data: Data) -> str:
        """Something that began now, with what it holds."""
        self.holds[resource] = data
        self._born[resource] = self.now_here()
        return resource

    def end_snapshot(self, snapshot: str, state: str, seconds: float = 0) -> None:
        """Lets it be pending for so long, and then end like that."""
        self.snapshots._ends[snapshot] = float("inf")
        self._ends[snapshot] = (self.now_here() + seconds, state)
        self.settle()

    def copy(self, snapshot: Thing) -> None:
        """What a person does who copies a snapshot with its tags."""
        made = self.ec2.copy_snapshot(
            SourceRegion="us-east-2", SourceSnapshotId=snapshot.id, Description=f"[Copied {snapshot.id} from us-east-2]")
        self.add(made["SnapshotId"], snapshot.data)
        self._copies.add(made["SnapshotId"])
        self.tag(made["SnapshotId"], **snapshot.tags)

    # What there is

    def volumes_now(self) -> list[Thing]:
        return [
            self._thing(
                each["VolumeId"], self.volumes._states.get(each["VolumeId"]) or each["State"], each.get("SnapshotId"), each,
                is_attached=bool(each["Attachments"]))
            for each in self.ec2.describe_volumes()["Volumes"] if each["VolumeId"] in self.holds]

    def snapshots_now(self) -> list[Thing]:
        return [
            self._thing(
                each["SnapshotId"], self.snapshots.state(each["SnapshotId"]),
                COPIED if each["SnapshotId"] in self._copies else each["VolumeId"], each)
            for each in self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] if each["SnapshotId"] in self.holds]

    def _thing(self, resource: str, state: str, source: str | None, described: dict, is_attached: bool = False) -> Thing:
        tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
        return Thing(resource, state, source, self._born[resource] - self._passed, tags, self.holds[resource], is_attached)

    def tag(self, resource: str, **tags: str) -> None:
        self.ec2.create_tags(Resources=[resource], Tags=[{"Key": key, "Value": tags[key]} for key in tags])

    def empty(self) -> None:
        """Takes away all that worlds had."""
        for volume in self.ec2.describe_volumes()["Volumes"]:
            if volume["VolumeId"] in self.holds:
                self.take_off(volume["VolumeId"])
                self.ec2.delete_volume(VolumeId=volume["VolumeId"])
        for snapshot in self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
            if snapshot["SnapshotId"] in self.holds:
                self.ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
        for memory in (self.holds, self._born, self._ends, self.deeds, self.wrongs, self.calls, self.seen):
            memory.clear()

    def take_off(self, volume: str) -> None:
        """What the cluster does when the pod is gone."""
        for found in self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]:
            for attachment in found["Attachments"]:
                self.ec2.detach_volume(
                    VolumeId=volume, InstanceId=attachment["InstanceId"], Device=attachment["Device"])

    # What the worker asks

    def _watched(self, action: str, carry_out):
        def watched(call: Call) -> Answer:
            resources = call.values("ResourceId") or [
                call.parameters.get("SnapshotId") or call.parameters.get("VolumeId") or ""]
            before = {thing.id: thing for thing in self.volumes_now() + self.snapshots_now()}
            answer = carry_out(call)
            if answer.status == 200:
                answer = self._note(action, call, [before[each] for each in resources if each in before], before, answer)
                self._die()
            return answer

        return watched

    def _note(self, action: str, call: Call, things: list[Thing], before: dict[str, Thing], answer: Answer) -> Answer:
        snapshots = [thing for thing in before.values() if thing.id.startswith("snap-")]
        self.deeds += [Deed(action, thing.id, thing.data, thing.tags, snapshots) for thing in things]
        if action not in ("CreateVolume", "CreateSnapshot"):
            return answer
        root = read_xml(answer.content)
        made = root.findtext("volumeId" if action == "CreateVolume" else "snapshotId")
        if made not in self.holds:
            tags = tag_values(call)
            self.add(made, things[0].data if things else Data((tags["gpu-dev-user"], tags["disk_name"]), 0))
            if action == "CreateSnapshot":
                state, seconds = self.luck()
                self.end_snapshot(made, state, seconds)
            elif not things:
                self.deeds.append(Deed(action, made, self.holds[made], {}, snapshots))
        put(root, "createTime" if action == "CreateVolume" else "startTime", self._wire(made))
        return answer.but(content=write_xml(root))

    def _die(self) -> None:
        if self.changes_left is not None:
            self.changes_left -= 1
            if self.changes_left == 0:
                self.changes_left = None
                self.strike()

    def _timed(self, describe):
        """Lists with the times of this world; and no list is of things that are nobody's."""
        def timed(call: Call) -> Answer:
            filters = call.filters()
            if not (
                    call.values("VolumeId") or call.values("SnapshotId")
                    or filters.keys() & {"tag:gpu-dev-user", "volume-id"} or "gpu-dev-user" in filters.get("tag-key", [])):
                self.wrongs.append(f"foreign: {call.action} asks for all that there is: {filters}")
            self.settle()
            answer = describe(call)
            if answer.status != 200:
                return answer
            root = read_xml(answer.content)
            for item in root.iterfind("*/item"):
                resource = item.findtext("snapshotId") if item.find("startTime") is not None else item.findtext("volumeId")
                if resource in self._born:
                    put(item, "startTime" if resource.startswith("snap-") else "createTime", self._wire(resource))
                if resource in self._copies:
                    put(item, "volumeId", COPIED)
            return answer.but(content=write_xml(root))

        return timed

    def _wire(self, resource: str) -> str:
        begun = datetime.datetime.fromtimestamp(self._born[resource] - self._passed, datetime.UTC)
        return begun.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tag_values(call: Call) -> dict[str, str]:
    """The tags that a creating call gives."""
    found, number = {}, 1
    while key := call.parameters.get(f"TagSpecification.1.Tag.{number}.Key"):
        found[key] = call.parameters.get(f"TagSpecification.1.Tag.{number}.Value", "")
        number += 1
    return found


def moved_time(text: str, seconds: float) -> str:
    try:
        moved = datetime.datetime.fromisoformat(text) - datetime.timedelta(seconds=seconds)
    except ValueError:
        return text
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")
