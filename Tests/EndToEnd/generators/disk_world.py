"""A world of a few disks: the platform that was there before the worker, and a real worker that gets its jobs by RabbitMQ.

Judged from outside: what AWS and PostgreSQL have, what events tell, and a model that knows what was written to which disk.
"""

import dataclasses
import datetime
import json
import random
import uuid

import psycopg

from EndToEnd.generators.disk_cloud import Data, DiskCloud, Thing
from EndToEnd.generators.disk_histories import Step
from harness.database import fetched
from harness.disks import OTHER_ZONE, ZONE, day, tagged
from harness.waiting import eventually
from harness.worker_system import WorkerSystem

DISKS = (("alice", "home"), ("alice", "work"), ("bob", "home"))
ZONES = (ZONE, OTHER_ZONE)
CROWD = ("carol", "none")
"""Who has reservations and no disk."""
TERMINAL = ("succeeded", "dead", "cancelled")
MOST_TRIES = 12
ROWS = """
    SELECT d.user_id, d.disk_name, d.ebs_volume_id AS volume, coalesce(d.in_use, false) AS is_in_use,
        coalesce(d.is_deleted, false) AS is_deleted, d.reservation_id AS holder,
        coalesce(d.snapshot_count, 0) AS snapshot_count, d.last_snapshot_at AS last_snapshot, d.operation_error AS error,
        coalesce(d.is_deleted AND d.delete_date <= (now() AT TIME ZONE 'UTC')::date
            AND d.marked_deleted_at <= now() - interval '7 days', false) AS is_due,
        coalesce(r.status IN ('cancelled', 'failed', 'expired'), false) AS has_holder_ended
    FROM disks d LEFT JOIN reservations r USING (reservation_id)"""
PAST = """
    UPDATE disks SET last_used = last_used - %(by)s, last_snapshot_at = last_snapshot_at - %(by)s,
        created_at = created_at - %(by)s, marked_deleted_at = marked_deleted_at - %(by)s,
        delete_date = delete_date - extract(day FROM %(by)s)::int;
    UPDATE reservations SET created_at = created_at - %(by)s, launched_at = launched_at - %(by)s,
        expires_at = expires_at - %(by)s, reservation_ended = reservation_ended - %(by)s;
    UPDATE job_ledger SET created_at = created_at - %(by)s, finished_at = finished_at - %(by)s,
        waiting_since = waiting_since - %(by)s;
    UPDATE job_ledger SET job_id = gen_random_uuid()
    WHERE %(by)s >= interval '1 hour' AND kind = 'reservation.tear-down' AND state IN ('succeeded', 'dead');
    UPDATE snapshot_deletions SET claimed_at = claimed_at - %(by)s"""
"""Moves all times; the id of a job that resumes a teardown has the hour in it, which would not come again."""


class Broken(AssertionError):
    """A rule that a world has broken; begins with the rule in a word."""


def hold(condition: object, complaint: str) -> None:
    if not condition:
        raise Broken(complaint)


@dataclasses.dataclass(frozen=True)
class Row:
    """What PostgreSQL says of a disk."""

    user_id: str
    disk_name: str
    volume: str | None
    is_in_use: bool
    is_deleted: bool
    holder: str | None
    snapshot_count: int
    last_snapshot: datetime.datetime | None
    error: str | None
    is_due: bool
    has_holder_ended: bool


@dataclasses.dataclass(frozen=True)
class Basis:
    """What could be known at a time."""

    rows: dict[tuple[str, str], Row]
    volumes: dict[str, Thing]
    snapshots: dict[str, Thing]


@dataclasses.dataclass
class Holder:
    """Who uses a disk now."""

    reservation: str
    volume: str
    earlier: set[str]
    """The disk's snapshots when it was taken."""
    version: int | None = None
    """What was written since; nothing yet if none."""


@dataclasses.dataclass
class Job:
    """A job that has been sent and is not over, or not judged yet."""

    id: str
    kind: str
    payload: dict
    disk: tuple[str, str] | None
    tries: int = 0
    basis: Basis | None = None
    """What there was when it had its last volume made."""


class DiskWorld:
    """One system, cleared for each world."""

    def __init__(self, system: WorkerSystem, aws: DiskCloud, cloud, kubernetes) -> None:
        self.system, self.aws, self.cloud, self.kubernetes = system, aws, cloud, kubernetes
        aws.strike = self._kill
        aws.luck = lambda: self._chance.choice((("completed", 0), ("completed", 0), ("completed", 3600), ("error", 20)))
        system.environment |= kubernetes.settings() | {"AWS_ENDPOINT_URL": aws.url}
        kubernetes.add_node("node-1", instance=cloud.instance)
        self._database = psycopg.connect(
            system.environment["DATABASE_URL"], autocommit=True, row_factory=psycopg.rows.namedtuple_row)
        self._queue = f"{system.prefix}.seen"
        system.channel.queue_declare(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
        system.channel.queue_bind(self._queue, f"{system.prefix}.jobs", "#")
        self._serial = 0
        system.start()

    def close(self) -> None:
        self.system.channel.queue_delete(self._queue)
        self._database.close()

    # One world

    def live(self, steps: list[Step], seed: int) -> None:
        """Lets all of it happen, and then enough time pass; raises the first rule that is broken."""
        self._clear()
        self._chance = random.Random(seed)
        for step in steps:
            self.told.append(str(step))
            getattr(self, f"_{step.what.replace('-', '_')}")(DISKS[step.disk], **step.more)
            self._check_nobodys()
        self._settle()

    def _clear(self) -> None:
        self.aws.changes_left = None
        self._be_quiet()
        for table in ("disks", "reservations", "job_ledger", "outbox", "snapshot_deletions"):
            self._run(f"DELETE FROM {table}")
        self._run("UPDATE job_schedules SET is_enabled = false")
        self.aws.empty()
        for pod in self.kubernetes.names("pods"):
            self.kubernetes.remove("pods", pod)
        self.told: list[str] = []
        self.written: dict[tuple[str, str], int] = {}
        self.holders: dict[tuple[str, str], Holder] = {}
        self.open: list[Job] = []
        self.refusals: set[tuple[str, str]] = set()
        self._logs = {replica.log: replica.log.stat().st_size for replica in self.system.replicas}
        volume = self.aws.ec2.create_volume(
            AvailabilityZone=ZONE, Size=8, TagSpecifications=[tagged("volume", {"Name": "database"})])["VolumeId"]
        snapshot = self.aws.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        self._nobodys = {self.aws.add(each, Data(None, 1)) for each in (volume, snapshot)}
        self._nobodys_as_it_was = self._seen_of_nobodys()

    def _seen_of_nobodys(self) -> list[Thing]:
        things = self.aws.volumes_now() + self.aws.snapshots_now()
        return [dataclasses.replace(thing, begun=0) for thing in things if thing.id in self._nobodys]

    def _check_nobodys(self) -> None:
        hold(self._seen_of_nobodys() == self._nobodys_as_it_was, "foreign: what is nobody's is not as it was")
        hold(not self.aws.wrongs, "; ".join(self.aws.wrongs[:3]))

    # What PostgreSQL holds

    def _run(self, query: str, **values) -> list[tuple]:
        return fetched(self._database.execute(query, values or None))

    def _rows(self) -> dict[tuple[str, str], Row]:
        return {(row.user_id, row.disk_name): Row(*row) for row in self._run(ROWS)}

    def _row(self, disk: tuple[str, str]) -> Row | None:
        return self._rows().get(disk)

    def _basis(self) -> Basis:
        return Basis(
            self._rows(), {each.id: each for each in self.aws.volumes_now()},
            {each.id: each for each in self.aws.snapshots_now()})

    def _advance(self, _=None, minutes: float = 0, days: int = 0) -> None:
        by = datetime.timedelta(minutes=minutes, days=days)
        for statement in PAST.split(";"):
            self._run(statement, by=by)
        self.aws.advance(by.total_seconds())

    # The platform

    def _reserve(self, disk: tuple[str, str], status: str) -> str:
        self._serial += 1
        reservation = f"{self._serial:08x}-{uuid.uuid4().hex[:4]}-4000-8000-000000000000"
        self._run(
            "INSERT INTO reservations (reservation_id, user_id, status, duration_hours, created_at, launched_at, expires_at)"
            " VALUES (%(id)s, %(user)s, %(status)s, 8, now(), now(), now() + interval '8 hours')",
            id=reservation, user=disk[0], status=status)
        self.kubernetes.add_pod(pod_of(reservation), node="node-1", annotations={"gpu-dev-user-id": disk[0]})
        return reservation

    def _snapshots_of(self, disk: tuple[str, str]) -> list[Thing]:
        """Whatever their tags say; the newest last."""
        return sorted((each for each in self.aws.snapshots_now() if each.data.owner == disk), key=lambda each: each.begun)

    def _open(self, disk: tuple[str, str], zone: int) -> bool:
        """A reservation's disk as the platform made it: a volume from the newest snapshot that its tags show."""
        row = self._row(disk)
        if disk in self.holders or row and (row.is_deleted or row.is_in_use):
            return False
        usable = [
            each for each in self.aws.snapshots_now()
            if each.state == "completed" and each.disk == disk and "delete-date" not in each.tags]
        source = max(usable, key=lambda each: each.begun, default=None)
        tags = {"gpu-dev-user": disk[0], "disk_name": disk[1]}
        volume = self.aws.ec2.create_volume(
            AvailabilityZone=ZONES[zone], Size=10, VolumeType="gp3", TagSpecifications=[tagged("volume", tags)],
            **({"SnapshotId": source.id} if source else {}))["VolumeId"]
        self.aws.add(volume, Data(disk, source.data.version if source else 0))
        self._attach(volume)
        reservation = self._reserve(disk, "active")
        self._run(
            "INSERT INTO disks (user_id, disk_name, size_gb, in_use, reservation_id, ebs_volume_id, last_used)"
            " VALUES (%(user)s, %(name)s, 10, true, %(reservation)s, %(volume)s, now())"
            " ON CONFLICT (user_id, disk_name) DO UPDATE SET in_use = true, reservation_id = %(reservation)s,"
            " ebs_volume_id = %(volume)s, last_used = now()",
            user=disk[0], name=disk[1], reservation=reservation, volume=volume)
        self._run(
            "UPDATE reservations SET ebs_volume_id = %(volume)s WHERE reservation_id = %(id)s", volume=volume, id=reservation)
        self.holders[disk] = Holder(reservation, volume, {each.id for each in self._snapshots_of(disk)})
        # Who only mounts it has worked on it.
        self._write(disk)
        return True

    def _attach(self, volume: str) -> None:
        self._serial += 1
        self.aws.ec2.attach_volume(
            VolumeId=volume, InstanceId=self.cloud.instance, Device=f"/dev/xvd{self._serial}")

    def _session(self, disk: tuple[str, str], zone: int, snapshot: str, leaks: bool, row: str) -> None:
        """A whole session before there was a worker: a version written, a snapshot, the volume deleted or left behind."""
        if not self._open(disk, zone):
            return
        self._advance(minutes=30)
        self._write(disk)
        holder = self.holders[disk]
        self._detach(disk)
        self._end(disk)
        del self.holders[disk]
        if snapshot != "none":
            tags = {"gpu-dev-user": disk[0], "disk_name": disk[1], "SnapshotType": "shutdown"}
            made = self.aws.ec2.create_snapshot(
                VolumeId=holder.volume, TagSpecifications=[tagged("snapshot", tags)])["SnapshotId"]
            self.aws.add(made, self.aws.holds[holder.volume])
            ends = {"pending": ("completed", 7200)}.get(snapshot, (snapshot, 0))
            self.aws.end_snapshot(made, *ends)
        # The platform deletes the volume only after it has seen a good snapshot.
        if not leaks and snapshot == "completed":
            self.aws.ec2.delete_volume(VolumeId=holder.volume)
        own = [
            each for each in self.aws.snapshots_now()
            if each.disk == disk and each.state in ("completed", "pending")]
        newest = max((each.begun for each in own if each.state == "completed"), default=None)
        self._run(
            "UPDATE disks SET in_use = false, reservation_id = NULL,"
            " snapshot_count = CASE WHEN %(counts)s THEN %(count)s ELSE snapshot_count END,"
            " last_snapshot_at = CASE WHEN %(tells)s THEN to_timestamp(%(newest)s) ELSE last_snapshot_at END,"
            " ebs_volume_id = CASE WHEN %(tells)s THEN NULL ELSE ebs_volume_id END"
            " WHERE user_id = %(user)s AND disk_name = %(name)s",
            counts=row != "nothing", tells=row == "all", count=len(own), newest=newest, user=disk[0], name=disk[1])
        self._advance(minutes=30)

    def _write(self, disk: tuple[str, str]) -> None:
        holder = self.holders.get(disk)
        volumes = {each.id: each for each in self.aws.volumes_now()}
        if holder and (volume := volumes.get(holder.volume)) and volume.is_attached:
            holder.version = self.written[disk] = self.written.get(disk, 0) + 1
            self.aws.holds[holder.volume] = Data(disk, holder.version)

    def _end(self, disk: tuple[str, str]) -> None:
        if holder := self.holders.get(disk):
            self._run(
                "UPDATE reservations SET status = 'expired' WHERE reservation_id = %(id)s"
                " AND status IN ('active', 'preparing')", id=holder.reservation)

    def _detach(self, disk: tuple[str, str]) -> None:
        """The pod is gone, and the volume comes off."""
        if holder := self.holders.get(disk):
            self.kubernetes.remove("pods", pod_of(holder.reservation))
            if any(each.id == holder.volume for each in self.aws.volumes_now()):
                self.aws.take_off(holder.volume)

    # Accidents

    def _vanish(self, disk: tuple[str, str], leaves_error: bool) -> None:
        """The volume in use is gone, or in error."""
        holder = self.holders.get(disk)
        if not holder or not any(each.id == holder.volume for each in self.aws.volumes_now()):
            return
        self.aws.take_off(holder.volume)
        if leaves_error:
            self.aws.volumes.finish(holder.volume, "error")
        else:
            self.aws.ec2.delete_volume(VolumeId=holder.volume)

    def _copy(self, disk: tuple[str, str]) -> None:
        own = [each for each in self._snapshots_of(disk) if each.state == "completed"]
        if own:
            self.aws.copy(max(own, key=lambda each: (each.data.version, each.begun)))

    def _lose_tag(self, disk: tuple[str, str], kind: str, tag: str) -> None:
        """The newest of its kind does."""
        things = self._snapshots_of(disk) if kind == "snapshot" else [
            each for each in self.aws.volumes_now() if each.data.owner == disk]
        if things:
            newest = max(things, key=lambda each: each.begun)
            self.aws.ec2.delete_tags(Resources=[newest.id], Tags=[{"Key": tag}])

    def _mark(self, disk: tuple[str, str], days: int) -> None:
        """The newest snapshot is marked to be deleted, though its disk lives: elsewhere the mark means what it says."""
        row, own = self._row(disk), [each for each in self._snapshots_of(disk) if each.state != "error"]
        if row and not row.is_deleted and own:
            day = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)
            self.aws.tag(own[-1].id, **{"delete-date": str(day)})

    def _forget_row(self, disk: tuple[str, str]) -> None:
        if disk not in self.holders:
            self._run("DELETE FROM disks WHERE user_id = %(user)s AND disk_name = %(name)s", user=disk[0], name=disk[1])

    def _misname(self, disk: tuple[str, str]) -> None:
        """The row of a free disk comes to name a volume of another user's."""
        volumes = [each.id for each in self.aws.volumes_now() if each.data.owner and each.data.owner[0] != disk[0]]
        if disk not in self.holders and volumes:
            self._run(
                "UPDATE disks SET ebs_volume_id = %(volume)s WHERE user_id = %(user)s AND disk_name = %(name)s"
                " AND in_use IS NOT TRUE", volume=volumes[-1], user=disk[0], name=disk[1])

    def _old_copy(self, disk: tuple[str, str], age: int, kept: str) -> None:
        """What a quarantine of so many days ago left, with a tag that says for how many days it is kept."""
        volume = self.aws.ec2.create_volume(AvailabilityZone=ZONE, Size=10)["VolumeId"]
        made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
        tags = {
            "gpu-dev-user": disk[0], "disk-name": disk[1], "gpu-dev-quarantine-backup": "true", "retention-days": kept,
            "original-volume-id": volume, "quarantine-deletion-date": made.isoformat(timespec="seconds").replace("+00:00", "Z")}
        self.aws.add(self.aws.ec2.create_snapshot(
            VolumeId=volume, TagSpecifications=[tagged("snapshot", tags)])["SnapshotId"], Data(disk, 0))
        self.aws.ec2.delete_volume(VolumeId=volume)

    def _crowd(self, _: tuple[str, str], count: int) -> None:
        """Reservations of somebody without a disk; none ends but by its time."""
        for _ in range(count):
            self._reserve(CROWD, "active")
        self._run(
            "UPDATE reservations SET created_at = now() - interval '1 h', launched_at = now() - interval '1 h'"
            " WHERE user_id = %(user)s", user=CROWD[0])

    def _blind_sweep(self, disk: tuple[str, str], count: int) -> None:
        """A sweep of so many more reservations that sees no pod, as in a namespace that is misspelt."""
        self._crowd(disk, count)
        with self.kubernetes.hidden_pods():
            self._job(DISKS[0], "sweep")

    # Jobs

    def _job(
        self, disk: tuple[str, str], task: str, zone: int = 0, crash: str | None = None, days: int | None = None,
    ) -> None:
        """What a producer or the clock would enqueue, and its first try."""
        if order := self._order(disk, task, ZONES[zone]):
            kind, payload, of = order
            if days is not None:
                payload |= {"delete_date": day(days)}
            self._send(kind, payload, of, crash)

    def _steal(self, disk: tuple[str, str], what: str, other: int) -> None:
        """A job for one disk that names another's things; whatever comes of it, these are not touched."""
        victim = DISKS[other]
        if victim == disk:
            return
        key = {"user_id": disk[0], "disk_name": disk[1]}
        volumes = [each.id for each in self.aws.volumes_now() if each.data.owner == victim]
        snapshots = [each.id for each in self._snapshots_of(victim)]
        holder = self.holders.get(victim)
        if what == "volume" and volumes:
            self._send("disk.create-snapshot", key | {"volume_id": volumes[-1]}, disk)
        if what == "nobodys":
            volume, = (each for each in self._nobodys if each.startswith("vol-"))
            self._send("disk.create-snapshot", key | {"volume_id": volume}, disk)
        if what == "snapshot" and snapshots:
            self._send("disk.complete-snapshot", key | {"snapshot_id": snapshots[-1]}, disk)
        if what == "reservation" and holder:
            self._send("disk.release", key | {"reservation_id": holder.reservation}, disk)
        if what == "disk" and victim[0] != disk[0]:
            reservation = self._reserve(disk, "preparing")
            place = {"reservation_id": reservation, "availability_zone": ZONE}
            self._send("disk.restore", {"user_id": victim[0], "disk_name": victim[1]} | place, victim)
            hold(self.aws.deeds == [], "foreign: a reservation of another user got a disk")

    def _order(self, disk: tuple[str, str], task: str, zone: str) -> tuple[str, dict, tuple | None] | None:
        key = {"user_id": disk[0], "disk_name": disk[1]}
        holder, row = self.holders.get(disk), self._row(disk)
        match task:
            case "restore":
                reservation = holder.reservation if holder else self._reserve(disk, "preparing")
                return "disk.restore", key | {"reservation_id": reservation, "availability_zone": zone}, disk
            case "create-snapshot":
                return "disk.create-snapshot", key | ({"reservation_id": holder.reservation} if holder else {}), disk
            case "release":
                return ("disk.release", key | {"reservation_id": row.holder}, disk) if row and row.holder else None
            case "prune" | "prune-one":
                return "disk.prune-snapshots", key if task == "prune-one" else {}, disk if task == "prune-one" else None
            case "reconcile-volume":
                volumes = [each for each in self.aws.volumes_now() if each.data.owner == disk]
                return ("disk.reconcile-volume", {"volume_id": volumes[-1].id}, disk) if volumes else None
            case "reconcile-all":
                return "disk.reconcile-all", {}, None
            case "tear-down":
                reservation = row and row.holder or holder and holder.reservation
                return ("reservation.tear-down", {"reservation_id": reservation, "status": "expired"}, None) if reservation else None
            case "sweep":
                return "reservation.sweep", {}, None
        return f"disk.{task}", key, disk

    def _send(self, kind: str, payload: dict, disk: tuple[str, str] | None, crash: str | None = None) -> None:
        job = Job(str(uuid.uuid4()), kind, payload, disk)
        self.open.append(job)
        self._try(job, crash)

    def _resume(self, _: tuple[str, str], place: int) -> None:
        if place < len(self.open):
            self._try(self.open[place])

    def _insist(self, _: tuple[str, str], minutes: int) -> None:
        """Every job that waits has a few tries, so many minutes apart."""
        for _ in range(3):
            self._advance(minutes=minutes)
            self._drain(times=1)

    def _try(self, job: Job, crash: str | None = None) -> None:
        """One try of a job, and of those that it enqueues; its worker may die of it, and another one go on."""
        before, self.aws.deeds = self._basis(), []
        if crash == "unrecorded":
            self._replace(GPUDEV_KILL_AT="acted:1")
        elif crash:
            self.aws.changes_left = int(crash.removeprefix("after "))
        if job.tries == 0:
            self.system.publish(job.kind, job.payload, job.id)
        else:
            self._run("UPDATE outbox SET available_at = now() WHERE message_id = %(id)s", id=job.id)
            self._run("NOTIFY gpudev_outbox")
        job.tries += 1
        self._be_quiet(job.id)
        if crash:
            self.aws.changes_left = None
            if crash == "unrecorded":
                self._replace()
        self.told += [f"  {job.kind} {'/'.join(job.disk or ())}", *(f"    {deed}" for deed in self.aws.deeds)]
        self._judge(job, before)

    def _kill(self) -> None:
        for replica in self.system.replicas:
            replica.process.kill()

    def _replace(self, **settings) -> None:
        self._kill()
        self._revive(**settings)

    def _revive(self, **settings) -> None:
        """Starts another worker, and makes PostgreSQL see at once that the one before is dead."""
        for replica in self.system.replicas:
            replica.wait()
        self.system.replicas = [self.system.start_doomed(**settings)]
        self._run("UPDATE workers SET seen_at = now() - interval '1 min'")

    def _be_quiet(self, wanted: str | None = None) -> None:
        """Waits until each message to the workers, that of one job at least, has had its turn; then all else waits."""
        turns: dict[str, int] = {}

        def is_quiet() -> bool:
            if self.system.replicas and not self.system.replicas[-1].is_alive:
                self._revive()
            while (got := self.system.channel.basic_get(self._queue, auto_ack=True))[0]:
                _, properties, body = got
                turns[properties.message_id] = int((properties.headers or {}).get("x-turn", 0))
                self._meet(properties.message_id, properties.type, json.loads(body))
            due, running = self._run(
                "SELECT (SELECT count(*) FROM outbox WHERE available_at <= now()) AS due,"
                " (SELECT count(*) FROM job_ledger WHERE state = 'running') AS running")[0]
            if due or running or wanted and wanted not in turns:
                return False
            ledger = {str(row.job_id): row for row in self._run("SELECT job_id, state, turns FROM job_ledger")}
            return all(
                job in ledger and (ledger[job].state in TERMINAL or ledger[job].turns > turn)
                for job, turn in turns.items())

        eventually("the worker rests", is_quiet, 60)
        self._run(
            "UPDATE outbox SET available_at = now() + interval '1 day' WHERE destination = 'jobs' AND available_at > now()")

    def _meet(self, job: str, kind: str, payload: dict) -> None:
        """A job that another one has enqueued."""
        if hasattr(self, "open") and not any(each.id == job for each in self.open):
            disk = (payload["user_id"], payload["disk_name"]) if kind.startswith("disk.") and "disk_name" in payload else None
            self.open.append(Job(job, kind, payload, disk, tries=1))

    # Rules

    def _judge(self, tried: Job, before: Basis) -> None:
        """What was done, and what the jobs say that are over now."""
        after = self._rows()
        ended = self._run(
            "SELECT reservation_id FROM reservations WHERE user_id = %(user)s AND status <> 'active' AND expires_at > now()",
            user=CROWD[0])
        hold(not ended, f"ended: {tried.kind} ended {len(ended)} reservations whose pods run")
        for deed in self.aws.deeds:
            self._check(deed, tried, before.rows, after)
        if any(deed.action == "CreateVolume" for deed in self.aws.deeds):
            tried.basis = before
        states = {str(row.job_id): row.state for row in self._run("SELECT job_id, state FROM job_ledger")}
        for job in [each for each in self.open if states.get(each.id) in TERMINAL]:
            self.open.remove(job)
            data = self.system.event(job.id)["data"]
            self.told.append(f"  {job.kind} {'/'.join(job.disk or ())} -> {states[job.id]} {summary(data)}")
            if states[job.id] == "dead" and job.disk:
                self.refusals.add(job.disk)
            elif job.kind == "disk.restore":
                self._check_restored(job, data["volume_id"], job.basis or before)
            elif job.kind == "disk.release" and data["released"]:
                self._check_released(job, before)
        if tried in self.open:
            self.told.append("    waits")
            if tried.tries >= MOST_TRIES:
                self.open.remove(tried)
            self._advance(minutes=0.5)

    def _check(self, deed, job: Job, rows: dict, after: dict) -> None:
        """Nothing of another is touched, and nothing is deleted that is not safe elsewhere."""
        owner, version = deed.data.owner, deed.data.version
        hold(owner, f"foreign: {job.kind} did {deed}, which is nobody's")
        hold(job.disk in (None, owner), f"foreign: {job.kind} of {job.disk} did {deed}")
        row = rows.get(owner)
        is_live = row and row.holder == job.payload.get("reservation_id") and not row.has_holder_ended
        hold(
            job.kind != "disk.release" or not is_live or deed.action not in ("DetachVolume", "DeleteVolume"),
            f"torn: {job.kind} did {deed}, though its reservation is not over")
        if deed.action == "DeleteSnapshot" and "gpu-dev-quarantine-backup" in deed.tags:
            begun = datetime.datetime.fromisoformat(deed.tags["quarantine-deletion-date"])
            term = datetime.timedelta(days=max(90, int(deed.tags["retention-days"])))
            hold(datetime.datetime.now(datetime.UTC) - begun > term, f"unsafe: {job.kind} did {deed}, a copy kept for {term}")
        is_kept = any(
            each.data.owner == owner and each.state == "completed" and each.data.version >= version
            for each in deed.snapshots if each.id != deed.resource)
        if version == 0 or is_kept:
            return
        hold(deed.action != "DeleteVolume", f"unsafe: {job.kind} did {deed}")
        if deed.action == "DeleteSnapshot":
            today = datetime.datetime.now(datetime.UTC)
            week_ago = str((today - datetime.timedelta(days=7)).date())
            is_purged = row.is_due if row else deed.tags.get("delete-date", "9999") < week_ago
            is_over = owner not in after or after[owner].is_deleted
            copied = deed.tags.get("quarantine-deletion-date")
            is_old_copy = copied and today - datetime.datetime.fromisoformat(copied) > datetime.timedelta(days=90)
            hold(is_purged and is_over or is_old_copy, f"unsafe: {job.kind} did {deed}")

    def _check_restored(self, job: Job, volume: str, basis: Basis) -> None:
        """What was handed out is the newest that can be known of."""
        disk, row = job.disk, basis.rows.get(job.disk)
        now = {each.id: each for each in self.aws.volumes_now()}
        hold(volume in now, f"stale: {disk} got {volume}, which is not there")
        got = now[volume].data
        hold(got.owner == disk, f"foreign: {disk} got {volume} of {got.owner}")
        volumes = [
            each.data.version for each in basis.volumes.values()
            if each.data.owner == disk and each.state != "error" and (each.disk == disk or row and row.volume == each.id)]
        snapshots = [
            each.data.version for each in basis.snapshots.values()
            if each.data.owner == disk and each.disk == disk and each.state in ("completed", "pending")]
        newest = max([*volumes, *snapshots], default=0)
        hold(got.version >= newest, f"stale: {disk} got version {got.version} in {volume}, and version {newest} is there")
        if volume not in basis.volumes:
            source = basis.snapshots.get(now[volume].volume)
            is_known = row and (row.snapshot_count > 0 or row.last_snapshot)
            hold(source or not is_known, f"stale: {disk} got an empty volume, and its row knows of snapshots")
            if source and row and row.last_snapshot:
                hold(
                    source.begun >= row.last_snapshot.timestamp() - 1,
                    f"stale: {disk} got a snapshot older than the last that its row knows")
        self._hand_out(volume, disk, job.payload["reservation_id"], now[volume])

    def _hand_out(self, volume: str, disk: tuple[str, str], reservation: str, now: Thing) -> None:
        if not now.is_attached:
            self._attach(volume)
        holder = self.holders.get(disk)
        if holder and holder.reservation == reservation:
            holder.volume = volume
        else:
            self.holders[disk] = Holder(reservation, volume, {each.id for each in self._snapshots_of(disk)})

    def _check_released(self, job: Job, before: Basis) -> None:
        holder = self.holders.pop(job.disk, None)
        if not holder or holder.reservation != job.payload["reservation_id"] or holder.version is None:
            return
        volume = before.volumes.get(holder.volume)
        is_there = volume and volume.state != "error"
        # Of a volume that has vanished a snapshot of the same session is all that there can be.
        is_safe = any(
            each.state == "completed" and (each.data.version >= holder.version or not is_there and each.id not in holder.earlier)
            for each in self._snapshots_of(job.disk))
        hold(is_safe, f"lost: {job.disk} is released, and version {holder.version} is in no snapshot")

    # The end

    def _settle(self) -> None:
        """All reservations end and a long time passes, with the jobs that schedules would begin."""
        self.told.append("settling")
        self._run(
            "UPDATE reservations SET status = 'expired' WHERE status IN ('active', 'preparing') AND user_id <> %(crowd)s",
            crowd=CROWD[0])
        # Twice as long as a volume stays in quarantine: once for the copy, once for the end.
        for _ in range(3):
            for task in ("sweep", "reconcile-all", "prune"):
                for disk in DISKS:
                    self._detach(disk)
                self._job(DISKS[0], task)
                self._drain()
            self._advance(days=31)
        self._check_nobodys()
        live = self._run("SELECT reservation_id FROM reservations WHERE status = 'active'")
        hold(not live, f"left: {len(live)} reservations are never ended")
        self._check_found()
        for disk in DISKS:
            row = self._row(disk)
            if row and not row.is_deleted and not row.is_in_use:
                self.holders.pop(disk, None)
                self._job(disk, "restore")
                self._drain()

    def _drain(self, times: int = 2) -> None:
        for _ in range(times):
            for job in list(self.open):
                if job in self.open:
                    self._try(job)

    def _check_found(self) -> None:
        """What was left behind is linked, in quarantine, gone or told of; no disk stays with a reservation that is over."""
        volumes = {each.id: each for each in self.aws.volumes_now()}
        complaints = self._complaints()
        for disk, row in self._rows().items():
            user, name = disk
            is_told_of = row.error or disk in self.refusals or any(
                f"{user}/{name}" in line or f'"disk.user":"{user}"' in line and f'"disk.name":"{name}"' in line
                for line in complaints)
            if row.is_deleted or is_told_of:
                continue
            is_stuck = row.has_holder_ended and (row.is_in_use or row.volume in volumes)
            hold(not is_stuck, f"left: {disk} is never released by {row.holder}")
            for volume in volumes.values():
                is_settled = volume.state == "error" or "gpu-dev-quarantined" in volume.tags or row.volume == volume.id
                hold(
                    volume.disk != disk or is_settled or any(volume.id in line for line in complaints),
                    f"left: {volume.id} of {disk} is neither linked nor in quarantine")

    def _complaints(self) -> list[str]:
        """What the workers have said at `warning` or above since this world began."""
        lines = []
        for log in self.system.directory.glob("worker-*.log"):
            text = log.read_text(errors="replace")[self._logs.get(log, 0):]
            lines += [line for line in text.splitlines() if '"level":"warning"' in line or '"level":"error"' in line]
        return lines


def pod_of(reservation: str) -> str:
    return f"gpu-dev-{reservation[:8]}"


def summary(data: dict) -> str:
    """What is neither nought nor false."""
    return ", ".join(f"{key} {value}" for key, value in data.items() if value)
