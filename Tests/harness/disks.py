"""Disks, volumes and snapshots as the tests of their life cycle need them, and what AWS has of them."""

import datetime
import time
import uuid

import boto3

from harness.waiting import eventually

ZONE, OTHER_ZONE = "us-east-2a", "us-east-2b"


class Disks:
    """The disks of one system and what boto3 says of their volumes and snapshots."""

    def __init__(self, system, cloud) -> None:
        self.system = system
        self.cloud = cloud
        self.ec2 = boto3.client("ec2")

    # What is there before

    def reserve(self, status: str = "active") -> str:
        reservation = str(uuid.uuid4())
        self.system.add_reservation(reservation, status)
        return reservation

    def end(self, reservation: str) -> None:
        self.system.rows(
            "UPDATE reservations SET status = 'expired', reservation_ended = now() WHERE reservation_id = %s",
            reservation)

    def volume(self, disk: str = "home", user: str = "alice", zone: str = ZONE, size: int = 10, **tags) -> str:
        tags = {"gpu-dev-user": user, "disk_name": disk} | {key.replace("__", "-"): tags[key] for key in tags}
        return self.ec2.create_volume(
            AvailabilityZone=zone, Size=size, VolumeType="gp3", TagSpecifications=[tagged("volume", tags)])["VolumeId"]

    def held(self, reservation: str, disk: str = "home", user: str = "alice", **columns) -> str:
        """A disk that a reservation holds, with its volume."""
        volume = self.volume(disk, user, reservation_id=reservation)
        columns = {"in_use": True, "reservation_id": reservation, "ebs_volume_id": volume, "size_gb": 10} | columns
        self.system.add_disk(user, disk, **columns)
        return volume

    def snapshot(self, disk: str = "home", user: str = "alice", size: int = 10, **tags) -> str:
        """A snapshot of a volume that is gone; the next one is newer, though moto tells whole seconds only."""
        volume = self.volume(disk, user, size=size)
        tags = {"gpu-dev-user": user, "disk_name": disk} | {key.replace("__", "-"): tags[key] for key in tags}
        tags = {key: value for key, value in tags.items() if value is not None}
        snapshot = self.ec2.create_snapshot(VolumeId=volume, TagSpecifications=[tagged("snapshot", tags)])["SnapshotId"]
        self.ec2.delete_volume(VolumeId=volume)
        time.sleep(1 - time.time() % 1)
        return snapshot

    # What is there afterwards

    def volumes(self, disk: str = "home") -> list[dict]:
        return self.ec2.describe_volumes(Filters=named(disk))["Volumes"]

    def snapshots(self, disk: str = "home") -> list[dict]:
        found = self.ec2.describe_snapshots(OwnerIds=["self"], Filters=named(disk))["Snapshots"]
        return sorted(found, key=lambda snapshot: snapshot["StartTime"])

    def tags(self, resource: str) -> dict[str, str]:
        found = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def row(self, columns: str, disk: str = "home") -> tuple:
        return self.system.rows(f"SELECT {columns} FROM disks WHERE disk_name = %s", disk)[0]

    # What a producer does

    def publish(self, kind: str, disk: str = "home", user: str = "alice", job: str | None = None, **payload) -> str:
        return self.system.publish(kind, {"user_id": user, "disk_name": disk} | payload, job)

    def restore(self, reservation: str, zone: str = ZONE, **more) -> str:
        return self.publish("disk.restore", reservation_id=reservation, availability_zone=zone, **more)

    def release(self, reservation: str, **more) -> str:
        return self.publish("disk.release", reservation_id=reservation, **more)

    def waits(self, job: str, code: str) -> None:
        """Waits until the job waits, and for this reason."""
        query = "SELECT error_code FROM job_ledger WHERE job_id = %s AND state = 'waiting'"
        eventually(f"job {job} waits: {code}", lambda: self.system.value(query, job) == code)

    def hurry(self, job: str) -> None:
        """Lets the job have its next turn at once."""
        self.system.rows("UPDATE outbox SET available_at = now() WHERE message_id = %s", job)

    def outcome(self, job: str, seconds: float = 30) -> dict:
        """The data of the job's event, however often it has to come back for that."""

        def events():
            self.hurry(job)
            return self.system.events_of(job)

        return eventually(f"an event of job {job}", events, seconds)[0]["data"]


def named(disk: str) -> list[dict]:
    return [{"Name": "tag:disk_name", "Values": [disk]}]


def tagged(resource: str, tags: dict[str, str]) -> dict:
    return {"ResourceType": resource, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def day(days: int = 0) -> str:
    """A day from today, in UTC."""
    return str(datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days))
