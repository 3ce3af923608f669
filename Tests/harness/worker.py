"""One running worker, which a test may ask, signal and end."""

import functools
import os
import pathlib
import re
import signal

from harness.admin_port import AdminPort
from harness.broker import FAMILIES
from harness.machine import scaled
from harness.program import start_worker
from harness.waiting import eventually


class Replica:
    """One running worker."""

    def __init__(self, environment: dict[str, str], log: pathlib.Path, launcher: tuple[str, ...] = ()) -> None:
        self.log = log
        self.families = environment.get("WORKER_QUEUES", ",".join(FAMILIES)).split(",")
        self.process = start_worker(environment, log, launcher)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def resident(self) -> int:
        """Memory in KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    @functools.cached_property
    def admin(self) -> AdminPort:
        """Its admin port, as soon as that listens."""

        def listening() -> re.Match | None:
            assert self.is_alive, self.log.read_text(errors="replace")
            return re.search(r'"the admin port listens".*"http.port":"(\d+)"', self.log.read_text(errors="replace"))

        return AdminPort(int(eventually("the admin port listens", listening)[1]))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, seconds: float = 20) -> int:
        """Asks it to end and returns its exit code."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float = 30) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(timeout=scaled(seconds))

    def kill(self) -> None:
        if self.is_alive:
            self.process.kill()
        self.wait(10)
