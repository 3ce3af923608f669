"""Half of what the machine does, with a fault every ten seconds: nothing grows that should not."""

import os
import signal
import statistics
import threading
import time

import pytest

from harness.experiment import Experiment
from harness.services import broker_process, services
from harness.waiting import eventually
from harness.worker import Replica

# The server that stands in for AWS slows down with each snapshot it has to look through.
MOSTLY_ROWS = {
    "disk.create": 970, "disk.create-snapshot": 8, "disk.reconcile-volume": 8, "reservation.map-dns": 6, "doomed": 8}
PAUSE_BETWEEN_FAULTS = 10


class Faults:
    """One fault after the other, drawn with the seed; the replica `spared` is never ended."""

    def __init__(self, experiment: Experiment, spared: Replica) -> None:
        self._experiment = experiment
        self._spared = spared
        self._proxies = [experiment.proxies[setting] for setting in ("AMQP_URL", "DATABASE_URL")]
        self._kinds = [
            self.kill_a_replica, self.end_a_replica, self.kill_the_broker, self.stop_the_broker, self.kill_postgres,
            self.end_sessions, self.reset_connections, self.stall_a_proxy, self.raise_an_alarm]
        self.count = 0

    def strike(self) -> None:
        self.count += 1
        self._experiment.random.choice(self._kinds)()

    def _victims(self) -> list[Replica]:
        return [replica for replica in self._experiment.living if replica is not self._spared]

    def kill_a_replica(self) -> None:
        for replica in self._victims()[:1]:
            replica.kill()

    def end_a_replica(self) -> None:
        for replica in self._victims()[:1]:
            replica.send(signal.SIGTERM)

    def kill_the_broker(self) -> None:
        services("restart", "rabbitmq", "--kill")

    def stop_the_broker(self) -> None:
        os.kill(broker_process(), signal.SIGSTOP)
        time.sleep(3)
        os.kill(broker_process(), signal.SIGCONT)

    def kill_postgres(self) -> None:
        services("restart", "postgres", "--kill")

    def end_sessions(self) -> None:
        self._experiment.end_sessions()

    def reset_connections(self) -> None:
        self._experiment.random.choice(self._proxies).reset()

    def stall_a_proxy(self) -> None:
        proxy = self._experiment.random.choice(self._proxies)
        proxy.up.is_stalled = True
        time.sleep(3)
        proxy.restore()

    def raise_an_alarm(self) -> None:
        services("ctl", "set_vm_memory_high_watermark", "absolute", "1MB")
        time.sleep(3)
        services("ctl", "set_vm_memory_high_watermark", "0.6")


class Watch:
    """What one replica and the tables take up, sampled every second."""

    def __init__(self, experiment: Experiment, replica: Replica) -> None:
        self._experiment, self._replica = experiment, replica
        self._ended = threading.Event()
        self.memory: list[int] = []
        self.descriptors: list[int] = []
        self.outbox: list[int] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(1):
            self.memory.append(self._replica.resident)
            self.descriptors.append(self._replica.descriptors)
            size = self._experiment.while_reachable("SELECT pg_total_relation_size('outbox')")
            self.outbox += [size] if size else []

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def full_rate(experiment: Experiment) -> float:
    """Jobs a second, by the time that a queue full of them takes."""
    jobs = experiment.load.draw(400, {"disk.create": 1})
    started = time.monotonic()
    experiment.submit(jobs)
    eventually("they are done", lambda: experiment.count("job_ledger") >= len(jobs), 120)
    return len(jobs) / (time.monotonic() - started)


@pytest.mark.experiment(23, "Soak: half load, a fault every ten seconds")
@pytest.mark.timeout(7200)
def test_a_soak(experiment, request):
    seconds = 60 * (request.config.getoption("minutes") or experiment.size(0.5, 4))
    for setting in ("AMQP_URL", "DATABASE_URL"):
        experiment.proxy_before(setting)
    spared, _ = experiment.start(2)
    rate = full_rate(experiment) / 2
    keeper = experiment.keep(3)
    watch, faults = Watch(experiment, spared), Faults(experiment, spared)
    deadline = time.monotonic() + seconds
    with experiment.flooding(int(seconds * rate), per_second=rate, kinds=MOSTLY_ROWS):
        while time.monotonic() < deadline:
            time.sleep(PAUSE_BETWEEN_FAULTS)
            faults.strike()
    eventually("most is done", lambda: experiment.backlog() < 20, 300)
    keeper.stop()
    watch.close()
    experiment.recover(20)
    experiment.verdict(180)
    third = len(watch.memory) // 3
    early, late = (statistics.median(part) for part in (watch.memory[third:2 * third], watch.memory[2 * third:]))
    experiment.note = (
        f"{faults.count} faults in {seconds / 60:.1f} minutes at {rate:.0f} jobs/s; resident memory {early / 1024:.1f} MiB in "
        f"the second third and {late / 1024:.1f} MiB in the last; at most {max(watch.descriptors)} descriptors; outbox at "
        f"most {max(watch.outbox) // 1024} KiB with its index")
    assert late <= early * 1.1 + 2048, "memory grows"
    assert max(watch.descriptors) < 100
    assert max(watch.outbox) < 64 << 20, "the outbox is not bounded"
