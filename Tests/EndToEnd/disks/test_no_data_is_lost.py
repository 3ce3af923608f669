"""Whatever is done with disks, in whatever order and however often workers die of it: nothing that was written is lost.

The model knows what was last written to each disk, and what each volume and snapshot holds of it.
"""

import random

import pytest

from harness.aws.call import read_xml
from harness.disks import OTHER_ZONE, ZONE, Disks, day
from harness.waiting import eventually

NAMES = ("home", "work")
POINTS = ("delivered", "claimed", "acted", "committing", "committed")
CALLS = ("CreateVolume", "CreateSnapshot", "DeleteVolume", "DeleteSnapshot", "CreateTags", "DeleteTags")


class Model:
    """Watches the calls to AWS, and knows what every volume and snapshot holds."""

    def __init__(self, disks: Disks, aws) -> None:
        self.disks = disks
        self.aws = aws
        self.written = dict.fromkeys(NAMES, 0)
        """How many times each disk was written to."""
        self.holds: dict[str, int] = {}
        """Up to which write a volume or snapshot holds its disk."""
        self.wrongs: list[str] = []
        for action in ("CreateVolume", "CreateSnapshot", "DeleteVolume", "DeleteSnapshot"):
            self._watch(action)

    def _watch(self, action: str) -> None:
        carry_out = self.aws._own[action]

        def watched(call):
            if action.startswith("Delete"):
                self._check_deletion(call.parameters)
            answer = carry_out(call)
            if action == "CreateVolume" and answer.status == 200:
                volume = read_xml(answer.content).findtext("volumeId")
                self.holds[volume] = self.holds.get(call.parameters.get("SnapshotId"), 0)
            if action == "CreateSnapshot" and answer.status == 200:
                self.holds[read_xml(answer.content).findtext("snapshotId")] = self.holds[call.parameters["VolumeId"]]
            return answer

        self.aws._own[action] = watched

    def _check_deletion(self, parameters: dict[str, str]) -> None:
        """A volume goes when a snapshot has all it holds; a snapshot when its disk is due or newer ones are enough."""
        if volume := parameters.get("VolumeId"):
            disk = self.disks.tags(volume).get("disk_name")
            held = self.holds.get(volume, 0)
            if disk and held and max(map(self.holds.get, self._complete(disk)), default=0) < held:
                self.wrongs.append(f"volume {volume} goes with write {held} of {disk}, which no snapshot has")
        if snapshot := parameters.get("SnapshotId"):
            disk = self.disks.tags(snapshot).get("disk_name")
            due = self.disks.system.rows(
                "SELECT FROM disks WHERE disk_name = %s AND is_deleted AND delete_date <= current_date", disk)
            if disk and not due:
                self.wrongs.append(f"snapshot {snapshot} of {disk} goes, which is not due")

    def _complete(self, disk: str) -> list[str]:
        snapshots = [each["SnapshotId"] for each in self.disks.snapshots(disk)]
        return [each for each in snapshots if self.aws.snapshots.state(each) == "completed"]

    def write(self, disk: str, volume: str) -> None:
        self.written[disk] += 1
        self.holds[volume] = self.written[disk]

    def check(self) -> None:
        assert not self.wrongs
        for disk in NAMES:
            volumes = [each["VolumeId"] for each in self.disks.volumes(disk)]
            assert len(volumes) <= 1, f"{disk} has volumes {volumes}"
            rows = self.disks.system.rows(
                "SELECT in_use, is_deleted, ebs_volume_id FROM disks WHERE disk_name = %s", disk)
            if not rows:
                continue
            in_use, is_deleted, volume = rows[0]
            assert not (in_use and is_deleted)
            kept = [
                each for each in self._complete(disk)
                if is_deleted or "delete-date" not in self.disks.tags(each)]
            newest = max((self.holds[each] for each in [*kept, *volumes]), default=0)
            assert newest == self.written[disk], f"{disk} was written {self.written[disk]} times and has {newest}"
            if not in_use and not is_deleted:
                assert volume is None or volume in volumes
                assert not volumes or volumes == [volume] or self.holds[volumes[0]] == self.written[disk]


class Story:
    """A sequence of jobs that the seed draws, with the faults that befall them."""

    def __init__(self, disks: Disks, aws, seed: int) -> None:
        self.disks = disks
        self.aws = aws
        self.chance = random.Random(seed)
        self.model = Model(disks, aws)
        self.holders: dict[str, str] = {}
        self.told: list[str] = []

    def run(self, steps: int) -> None:
        for name in NAMES:
            self.disks.system.add_disk("alice", name, size_gb=10)
        self.disks.system.start()
        for _ in range(steps):
            name = self.chance.choice(NAMES)
            step = self.chance.choice(self.choices(name))
            self.told.append(f"{step.__name__} {name}")
            step(name)
            self.model.check()

    def choices(self, disk: str) -> list:
        """What may happen next; what makes sense is likelier."""
        anything = [self.strange_end, self.delete]
        if disk in self.holders:
            return [*anything, self.write, self.back_up] + [self.end] * 4
        if self.disks.row("is_deleted", disk)[0]:
            return [*anything, self.start, self.purge] + [self.undelete] * 4
        return [*anything, self.purge] + [self.start] * 6

    def job(self, kind: str, disk: str, **payload) -> dict:
        """One job to its end, with a fault on the way now and then; the same job may be delivered again."""
        fault = self.chance.choice(["none", "none", "death", "cut", "pending", "failing", "twice"])
        self.told[-1] += f" ({kind}, {fault})"
        point, turn = self.chance.choice(POINTS), self.chance.choice([1, 2])
        action, cut = self.chance.choice(CALLS), self.chance.choice([self.aws.cut_before, self.aws.cut_after])
        system = self.disks.system
        if fault == "death":
            system.replicas[-1].kill()
            system.replicas.clear()
            system.start_doomed(GPUDEV_KILL_AT=f"{point}:{turn}")
        if fault == "cut":
            cut(action)
        if fault in ("pending", "failing"):
            self.aws.snapshots.hold()
        job = self.disks.publish(kind, disk, **payload)
        if fault == "twice":
            self.disks.publish(kind, disk, job=job, **payload)
        if fault in ("pending", "failing"):
            eventually("the job waits or ends", lambda: (
                self.aws.snapshots.pending or (system.state(job) or [""])[0] in ("succeeded", "dead")), 60)
            self._look_again(job)
            self.aws.snapshots.finish(state="error" if fault == "failing" else "completed")
            self.aws.snapshots.release()
        if fault == "death":
            def is_over() -> bool:
                self.disks.hurry(job)
                return not system.replicas[-1].is_alive or bool(system.events_of(job))

            eventually("the worker dies, or is done", is_over, 60)
            system.replicas[-1].kill()
            system.replicas.clear()
            system.start()
        return self.disks.outcome(job, seconds=60)

    def _look_again(self, job: str) -> None:
        """Gives a job that waits a turn in which nothing is any further yet."""
        query = "SELECT turns FROM job_ledger WHERE job_id = %s AND state = 'waiting'"
        turns = self.disks.system.value(query, job)
        if turns is not None:
            eventually("the job looks again", lambda: (
                self.disks.hurry(job) or self.disks.system.value(query, job) != turns), 60)
            eventually("the job waits or ends", lambda: self.disks.system.state(job)[0] != "running", 60)

    # What can happen

    def start(self, disk: str) -> None:
        reservation = self.disks.reserve()
        zone = self.chance.choice([ZONE, ZONE, OTHER_ZONE])
        data = self.job("disk.restore", disk, reservation_id=reservation, availability_zone=zone)
        if "code" in data:
            assert data["code"] in ("disk-in-use", "disk-deleted"), data
            return
        assert disk not in self.holders, "one holder at a time"
        self.holders[disk] = reservation
        assert self.model.holds[data["volume_id"]] == self.model.written[disk], "the newest data"
        if self.chance.random() < 0.8:
            self.write(disk)

    def write(self, disk: str) -> None:
        self.model.write(disk, self.disks.row("ebs_volume_id", disk)[0])

    def end(self, disk: str) -> None:
        self.disks.end(self.holders[disk])
        data = self.job("disk.release", disk, reservation_id=self.holders[disk])
        assert data["released"] is True, data
        del self.holders[disk]

    def strange_end(self, disk: str) -> None:
        before = self.disks.row("in_use, reservation_id, ebs_volume_id", disk)
        data = self.job("disk.release", disk, reservation_id=self.disks.reserve("cancelled"))
        assert data["released"] is False
        assert self.disks.row("in_use, reservation_id, ebs_volume_id", disk) == before

    def back_up(self, disk: str) -> None:
        self.job("disk.create-snapshot", disk, reservation_id=self.holders[disk])
        self.job("disk.complete-snapshot", disk)

    def delete(self, disk: str) -> None:
        data = self.job("disk.delete", disk, delete_date=day(self.chance.choice([1, 30])))
        assert ("code" in data) == (disk in self.holders), data

    def undelete(self, disk: str) -> None:
        self.job("disk.undelete", disk)

    def purge(self, disk: str) -> None:
        job = self.disks.system.publish("disk.prune-snapshots", {"user_id": "alice", "disk_name": disk})
        data = self.disks.outcome(job)
        assert (data["purged"], data["retention_deleted"]) == (0, 0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(3))
def test_nothing_is_lost_in_any_order_of_jobs_and_deaths(disks, aws, request, number):
    seed = request.config.getoption("--seed") * 1000 + number
    story = Story(disks, aws, seed)
    try:
        story.run(steps=40)
        assert any(story.model.written.values())
    except BaseException:
        print(f"seed {seed}:", *story.told, sep="\n  ")
        raise
