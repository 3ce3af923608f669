"""Two replicas that lose any connection at any time, are stopped and continued, and are killed: no two act on one thing.

Each replica has proxies of its own to RabbitMQ, PostgreSQL and AWS, and AWS writes down who asked for what, from when to
when. A call ends when it is answered or when its caller can no longer hear the answer, because its connection was cut or
it is dead.
"""

import dataclasses
import os
import random
import re
import signal
import threading
import time
import urllib.parse
import uuid

import pytest

from harness.aws.proxy import Answer, AWSProxy
from harness.experiment import Experiment
from harness.network.fault_proxy import FaultProxy
from harness.waiting import eventually

CHANGING = re.compile(r"(Create|Delete|Modify|Change|Attach|Detach|Register|Deregister|Put)[A-Z]")
THINGS = ("VolumeId", "SnapshotId", "TargetGroupArn", "RuleArn", "Name")
SHARES = {
    "disk.create": 20, "disk.create-snapshot": 50, "disk.reconcile-volume": 10, "reservation.map-dns": 10,
    "reservation.create-target-group": 10}


@dataclasses.dataclass
class Change:
    """A call that changes something: who asked, for what, from when to when."""

    actor: int
    action: str
    thing: str
    begun: float
    ended: float = float("inf")


class Journal:
    """What both replicas ask of AWS, and when one of them could not hear an answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.changes: list[Change] = []

    def begin(self, change: Change) -> Change:
        with self._lock:
            self.changes.append(change)
        return change

    def cut(self, actor: int) -> None:
        """What this replica has asked for up to now has ended."""
        now = time.monotonic()
        with self._lock:
            for change in self.changes:
                if change.actor == actor:
                    change.ended = min(change.ended, now)

    def overlaps(self) -> list[tuple[Change, Change]]:
        """Calls of the two that changed one thing at a time."""
        found = []
        for number, first in enumerate(self.changes):
            found += [
                (first, second) for second in self.changes[number + 1:]
                if first.actor != second.actor and first.thing == second.thing
                and first.begun < second.ended and second.begun < first.ended]
        return found


class RecordingAWS(AWSProxy):
    """One replica's way to AWS; each change takes a while before it is made."""

    def __init__(self, actor: int, journal: Journal, seed: int) -> None:
        self._actor, self._journal = actor, journal
        self._random = random.Random(seed)
        super().__init__(os.environ["GPUDEV_TEST_AWS_ENDPOINT"])

    def answer(self, request, body: bytes) -> Answer:
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
        is_records = request.command == "POST" and "/rrset" in request.path
        action = form.get("Action") or ("ChangeRecords" if is_records else "")
        if not CHANGING.match(action):
            return super().answer(request, body)
        change = self._journal.begin(Change(self._actor, action, thing_of(form, body), time.monotonic()))
        time.sleep(self._random.uniform(0, 2.5))
        try:
            return super().answer(request, body)
        finally:
            change.ended = min(change.ended, time.monotonic())


def thing_of(form: dict[str, str], body: bytes) -> str:
    """What a call changes: the volume, group, rule, or host name. Calls that name none are each a thing of their own."""
    for name in THINGS:
        if name in form:
            return form[name]
    hosts = [value for name, value in form.items() if name.startswith("Conditions.member.1.")]
    names = re.findall(rb"<Name>([^<]*)</Name>", body)
    return " ".join(hosts) or b" ".join(names).decode() or str(uuid.uuid4())


class Actor:
    """A replica behind proxies of its own; when it has been killed it is started again."""

    settings = ("AMQP_URL", "DATABASE_URL", "AWS_ENDPOINT_URL")

    def __init__(self, number: int, experiment: Experiment, journal: Journal) -> None:
        self._number, self._experiment, self._journal = number, experiment, journal
        self.aws = RecordingAWS(number, journal, experiment.seed * 10 + number)
        urls = experiment.environment | {"AWS_ENDPOINT_URL": self.aws.url}
        self.proxies = {name: FaultProxy.before(urls[name], experiment.seed) for name in self.settings}
        experiment.proxies |= {f"{name} {number}": proxy for name, proxy in self.proxies.items()}
        self._environment = {name: proxy.url for name, proxy in self.proxies.items()} | {"WORKER_CONCURRENCY": "16"}
        self.start()

    def start(self) -> None:
        self.replica = self._experiment.start_doomed(**self._environment)

    def kill(self) -> None:
        self.replica.kill()
        self._journal.cut(self._number)
        self.start()

    def stop(self, seconds: float) -> None:
        """As a virtual machine that is paused."""
        self.replica.send(signal.SIGSTOP)
        time.sleep(seconds)
        self.replica.send(signal.SIGCONT)

    def cut(self, names: list[str], seconds: float) -> None:
        """Ends connections, and lets none come up for a while."""
        targets = {name: self.proxies[name].target for name in names}
        for name in names:
            # Nobody listens at this port: it belongs to none that may be given to a client.
            self.proxies[name].target = ("127.0.0.1", 1)
            self.proxies[name].reset()
        if "AWS_ENDPOINT_URL" in names:
            self._journal.cut(self._number)
        time.sleep(seconds)
        for name, target in targets.items():
            self.proxies[name].target = target

    def close(self) -> None:
        self.aws.close()


def strike(actor: Actor, draw: random.Random) -> str:
    """One thing that happens to one replica; returns what it was."""
    what = draw.choices(("cut", "stop", "kill"), (8, 2, 1))[0]
    seconds = round(draw.uniform(0, 3), 1)
    if what == "cut":
        names = draw.sample(Actor.settings, draw.choice((1, 1, 1, 2, 3)))
        actor.cut(names, seconds)
        return f"cut {', '.join(names)} for {seconds} s"
    if what == "stop":
        actor.stop(seconds)
        return f"stop for {seconds} s"
    actor.kill()
    return "kill"


@pytest.fixture
def experiment(request, tmp_path, cloud):
    experiment = Experiment(tmp_path, cloud, request.config.getoption("seed"), is_whole=False)
    yield experiment
    print(experiment.logs())
    experiment.close()


def test_no_two_replicas_act_on_one_thing_at_a_time(request, experiment):
    """Also with --minutes, for as long as one likes."""
    minutes = request.config.getoption("minutes")
    seconds = minutes * 60 if minutes else 40
    journal, draw = Journal(), random.Random(experiment.seed)
    # Few disks for many jobs, so that there is always somebody who waits.
    experiment.load.volumes = experiment.load.volumes[:3]
    experiment.environment |= {"WORKER_MAX_STARTS": "50", "WORKER_MAX_ATTEMPTS": "500"}
    actors = [Actor(number, experiment, journal) for number in range(2)]
    history: list[str] = []
    # More than that three disks cannot do, and what is left at the end has to be done too.
    jobs = experiment.load.draw(80 + max(0, int((seconds - 40) / 2)), SHARES)
    try:
        eventually("both consume", lambda: experiment.consumers("disks") == 2)
        with experiment.submitting(jobs, per_second=len(jobs) / seconds):
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                victim = draw.randrange(2)
                history.append(f"{victim}: {strike(actors[victim], draw)}")
                time.sleep(draw.uniform(0, 1))
                check(journal, experiment.seed, history)
        experiment.hasten()
        eventually("nothing waits", lambda: hastened(experiment), 180)
        check(journal, experiment.seed, history)
        # In a long run the schedules have their say too.
        experiment.adopt()
        experiment.verdict(90)
        print(f"two actors: seed {experiment.seed}, {len(history)} faults, {len(journal.changes)} changes")
    finally:
        for actor in actors:
            actor.close()


def hastened(experiment: Experiment) -> bool:
    experiment.rows("UPDATE outbox SET available_at = now() WHERE destination = 'jobs' AND available_at > now()")
    return experiment.backlog() == 0


def check(journal: Journal, seed: int, history: list[str]) -> None:
    overlaps = journal.overlaps()
    assert not overlaps, f"seed {seed}, {overlaps[:3]}, after {history}"
