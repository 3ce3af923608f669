"""Whatever stands in the tables, comes by the broker or happens to a clock, every replica goes on doing its work.

After each few steps a job by AMQP and one by SQL must be done by every replica. What failed once stays as an example.
"""

import contextlib
import time
import uuid

import pytest
from psycopg.types.json import Jsonb

from EndToEnd.generators.hostile import Clock, Generator, Message, Row, put, send
from harness.machine import scaled
from harness.program import FAKETIME
from harness.waiting import eventually

SECONDS = 5
"""Within which every replica has done a job that came either way, on the machine that the waits were written for."""


class Surroundings:
    """Two replicas, one of which has a clock that can be set; and the canaries."""

    def __init__(self, system, directory) -> None:
        self.system = system
        self._clock = directory / "clock"
        self._count = 0
        self._start()

    def _start(self) -> None:
        self._clock.write_text("+0")
        self.system.start(1)
        # The environment is moved when the library is loaded; `env` hands the moved one on.
        self.system.launcher = ("env",)
        self.system.start(1, LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(self._clock), FAKETIME_NO_CACHE="1",
                          DONT_FAKE_MONOTONIC="1")
        self.system.launcher = ()
        self._replicas = self.system.replicas[-2:]

    def renew(self) -> None:
        """Two new replicas, and nothing left of what was."""
        for replica in self._replicas:
            replica.kill()
        self.system.rows("TRUNCATE outbox, job_schedules, job_ledger, job_attempts")
        if not self.system.channel.is_open:
            self.system.connect()
        for family in ("disks", "reservations", "capacity"):
            for ending in ("", ".dead"):
                self.system.channel.queue_purge(f"{self.system.prefix}.{family}{ending}")
        eventually("the broker has noticed", lambda: self.system.consumers("reservations") == 0)
        self._start()

    def carry_out(self, step) -> bool:
        """Whether the schema or the broker has let it in."""
        match step:
            case Row():
                return put(self.system, step)
            case Message():
                return send(self.system, step)
            case Clock():
                self._clock.write_text(step.offset)
                return True

    def trouble(self) -> str | None:
        """What does not work any more, now or when the relay has met the schedules that are due."""
        return self._lack() or self._wait_for_schedules() or self._lack()

    def _wait_for_schedules(self) -> None:
        """Returns when none is due any more, or that takes too long; either way the canaries are what counts."""
        due = "SELECT FROM job_schedules WHERE is_enabled AND next_run_at <= now()"
        with contextlib.suppress(AssertionError):
            eventually("no schedule is due", lambda: not self.system.rows(due), SECONDS)

    def _lack(self, seconds: float = SECONDS) -> str | None:
        wanted = {str(replica.process.pid) for replica in self._replicas}
        begun, jobs = time.monotonic(), {"amqp": [], "sql": []}
        done: dict[str, set[str]] = {}
        while time.monotonic() - begun < scaled(seconds):
            if dead := [replica.process.returncode for replica in self._replicas if not replica.is_alive]:
                return f"a replica has ended with {dead[0]}"
            for way in jobs:
                if wanted - done.get(way, set()) and len(jobs[way]) < 40:
                    jobs[way] += [self._canary(way), self._canary(way)]
            time.sleep(0.15)
            done = {way: self._workers(jobs[way]) for way in jobs}
            if all(wanted <= done[way] for way in jobs) and self._events_are_out(jobs["amqp"] + jobs["sql"]):
                return self._unwell()
        lacking = {way: len(wanted - done[way]) for way in jobs}
        return f"not done within {scaled(seconds):.0f} s, by so many replicas: {lacking}"

    def _unwell(self) -> str | None:
        for replica in self._replicas:
            for probe in ("/livez", "/readyz"):
                if (answer := replica.admin.ask(probe)).status != 200:
                    return f"{probe} says {answer.text}"
            if replica.admin.ask("/metrics").status != 200:
                return "no metrics"
        return None

    def _canary(self, way: str) -> str:
        self._count += 1
        payload = {"user_id": "canary", "disk_name": f"c{self._count}"}
        if way == "amqp":
            if not self.system.channel.is_open:
                self.system.connect()
            return self.system.publish("disk.create", payload)
        job = str(uuid.uuid4())
        self.system.rows("SELECT enqueue_job('disk.create', %s, %s::uuid)", Jsonb(payload), job)
        return job

    def _workers(self, jobs: list[str]) -> set[str]:
        return {name.rpartition("/")[2] for name, in self.system.rows(
            "SELECT DISTINCT worker FROM job_ledger WHERE state = 'succeeded' AND job_id = ANY(%s::uuid[])", jobs)}

    def _events_are_out(self, jobs: list[str]) -> bool:
        return not self.system.rows(
            "SELECT FROM outbox WHERE message_id = ANY(%s) AND available_at < now() - interval '1 s'",
            [f"{job}.completed" for job in jobs])


@pytest.fixture
def surroundings(system, tmp_path):
    return Surroundings(system, tmp_path)


OUTBOX = {
    "destination": "jobs", "routing_key": "disk.create", "type": "disk.create", "content_type": "application/json",
    "message_id": "11111111-2222-4333-8444-555555555555", "body": b'{"user_id":"alice","disk_name":"odd"}'}
SCHEDULE = {"name": "odd", "kind": "disk.create", "every": "1 hour"}
EXAMPLES = {
    "a row of the outbox that is due since always": Row("outbox", OUTBOX | {"available_at": "-infinity"}),
    "a schedule whose kind is no name": Row("job_schedules", SCHEDULE | {"kind": "disk.reconcile_all"}),
    "a schedule whose payload is no object": Row("job_schedules", SCHEDULE | {"payload": Jsonb([])}),
    "a schedule whose next run is beyond all time": Row("job_schedules", SCHEDULE | {"every": "178000000 years"}),
}
"""What stopped a replica once, whether the schema lets it in by now or not."""


@pytest.mark.parametrize("step", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_what_stopped_a_replica_once_stops_none(surroundings, step):
    surroundings.carry_out(step)
    assert surroundings.trouble() is None


def test_whatever_surrounds_it_a_replica_does_its_work(request, surroundings):
    """Also with --minutes, for as long as one likes."""
    seed, minutes = request.config.getoption("seed"), request.config.getoption("minutes")
    generator = Generator(seed, surroundings.system)
    ends = time.monotonic() + (minutes or 1) * 60
    steps = let_in = 0
    while time.monotonic() < ends:
        batch = generator.steps(8)
        let_in += sum(surroundings.carry_out(step) for step in batch)
        steps += len(batch)
        if trouble := surroundings.trouble():
            culprit = minimised(surroundings, batch)
            pytest.fail(f"seed {seed}, after {steps} steps: {trouble}\n" + "\n".join(map(str, culprit)))
        # What comes by the clock would go on coming, and what nobody takes would be looked at in each turn.
        surroundings.system.rows("TRUNCATE job_schedules")
    print(f"hostile surroundings: seed {seed}, {steps} steps, of which {let_in} were let in")
    assert let_in > steps / 3


def minimised(surroundings: Surroundings, batch: list) -> list:
    """The first step that does it alone, or all of them."""
    for step in batch:
        surroundings.renew()
        if surroundings.carry_out(step) and surroundings.trouble():
            return [step]
    return batch
