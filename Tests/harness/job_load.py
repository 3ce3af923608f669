"""Jobs of mixed kinds, drawn with a seed, and what each of them must have brought about."""

import dataclasses
import json
import random
import uuid

EXPIRY = "2031-02-03T04:05:06Z"


@dataclasses.dataclass(frozen=True)
class Job:
    id: str
    kind: str
    body: bytes
    death: str | None = None
    """The reason that it must die with, if it must."""
    headers: dict = dataclasses.field(default_factory=lambda: {"x-requested-by": "experiment"})

    @property
    def payload(self) -> dict:
        return json.loads(self.body)

    @property
    def has_row(self) -> bool:
        """Whether the ledger knows it at all."""
        return self.death != "malformed"


class Load:
    """A plan of jobs; the rows and volumes that they need are made by `prepare`."""

    shares = {
        "disk.create": 60, "disk.create-snapshot": 20, "disk.reconcile-volume": 10, "reservation.map-dns": 4,
        "reservation.create-target-group": 4, "doomed": 2,
    }

    def __init__(self, seed: int, experiment) -> None:
        self._random = random.Random(seed)
        self._experiment = experiment
        self.volumes: list[str] = []
        self._number = 0
        self.jobs: dict[str, Job] = {}

    def prepare(self, volumes: int = 40) -> None:
        """Makes the disks and volumes that snapshots and reconciliations choose from."""
        for number in range(len(self.volumes), volumes):
            volume = self._experiment.cloud.create_volume("alice", f"home{number}")
            self._experiment.add_disk("alice", f"home{number}", ebs_volume_id=volume)
            self.volumes.append(volume)

    def draw(self, count: int, kinds: dict[str, int] | None = None) -> list[Job]:
        """The next `count` jobs of the plan."""
        shares = kinds or self.shares
        drawn = self._random.choices(list(shares), list(shares.values()), k=count)
        return [self._job(kind) for kind in drawn]

    def _job(self, kind: str) -> Job:
        self._number += 1
        number = self._number
        payload = {
            "disk.create": lambda: {"user_id": "bob", "disk_name": f"d{number}"},
            "disk.create-snapshot": lambda: {"user_id": "alice", "disk_name": self._disk()},
            "disk.reconcile-volume": lambda: {"volume_id": self._random.choice(self.volumes)},
            "reservation.map-dns": lambda: self._dns(number),
            "reservation.create-target-group": lambda: self._route(number),
            "doomed": lambda: {"user_id": "bob", "disk_name": f"nowhere{number}"},
        }[kind]()
        if kind == "doomed":
            return self.add("disk.create-snapshot", payload, death="rejected")
        return self.add(kind, payload)

    def add(self, kind: str, payload: dict | bytes, **more) -> Job:
        """A job that is not drawn but chosen."""
        job = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        # Odd spacing: a dead letter must carry these very bytes.
        body = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(" ,", " : ")).encode()
        self.jobs[job] = Job(job, kind, body, **more)
        return self.jobs[job]

    def change(self, job: Job, **changes) -> Job:
        """The same job with another body, or another end in store."""
        self.jobs[job.id] = dataclasses.replace(job, **changes)
        return self.jobs[job.id]

    def _disk(self) -> str:
        return f"home{self._random.randrange(len(self.volumes))}"

    def _dns(self, number: int) -> dict:
        self._experiment.add_reservation(f"r-{number}")
        return {
            "reservation_id": f"r-{number}", "node_ip": "10.0.1.7", "node_port": 30000 + number % 2000,
            "expires_at": EXPIRY}

    def _route(self, number: int) -> dict:
        self._experiment.add_reservation(f"r-{number}")
        return {
            "reservation_id": f"r-{number}", "domain_name": f"host{number}", "pod_name": f"gpu-dev-r-{number}"[:16],
            "instance_id": self._experiment.cloud.instance, "jupyter_port": 30888, "expires_at": EXPIRY}
