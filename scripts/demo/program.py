"""The program under demonstration: its commands, its running replicas and its feed of events."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import screen

PROGRAM = pathlib.Path(".build/debug/gpudev-worker").absolute()


class Failure(Exception):
    """Something that the demonstration relies on did not happen."""


def wait_until(what: str, condition: Callable[[], object], seconds: float = 60):
    """Returns the first true value of the condition; gives up after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise Failure(f"waited {seconds:.0f} s in vain: {what}")


class Worker:
    """gpudev-worker's commands, with one environment for all of them."""

    def __init__(self, environment: dict[str, str], directory: pathlib.Path) -> None:
        self.environment = environment
        self.directory = directory

    def call(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Runs one command to its end and returns its standard output."""
        result = subprocess.run(
            [PROGRAM, *arguments], env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )
        if result.returncode not in allowed:
            raise Failure(
                f"gpudev-worker {' '.join(arguments)} ended with {result.returncode}:\n"
                f"{result.stdout}{result.stderr}"
            )
        return result.stdout.strip()

    def enqueue(self, kind: str, payload: dict, *options: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Enqueues a job with the options given and returns its id."""
        body = json.dumps(payload)
        screen.fact(f"-> {kind} {body}")
        return self.call("enqueue", kind, body, *options, allowed=allowed)

    def dead_letters(self, queue: str) -> list[dict]:
        """The letters in a dead queue, oldest first."""
        return json.loads(self.call("dead", "list", "--queue", queue, "--json") or "[]")


class PidFile:
    """Says which process is ours, so that `scripts/services down` can end it when we cannot."""

    def __init__(self, path: pathlib.Path, process: subprocess.Popen) -> None:
        self._path = path
        stat = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
        start_time = stat.rpartition(")")[2].split()[19]
        path.write_text(f"{process.pid} {start_time}\n")

    def remove(self) -> None:
        """To be called when the process has ended."""
        self._path.unlink(missing_ok=True)


class Replica:
    """One running worker, with its log."""

    def __init__(self, worker: Worker, number: int) -> None:
        self.name = f"worker-{number}"
        self.log = worker.directory / f"{self.name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "run"], env={**worker.environment, "HTTP_PORT": "0"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        self._pid_file = PidFile(worker.directory / f"{self.name}.pid", self.process)

    def check(self) -> None:
        """Raises when the process has ended, with the end of its log."""
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise Failure(f"{self.name} ended with {self.process.returncode}:\n{tail}")

    def stop(self) -> int:
        """Asks the process to end, waits for it and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=40)
        finally:
            self._pid_file.remove()


class EventFeed:
    """The command `events`, whose lines are shown and kept as they come."""

    def __init__(self, worker: Worker) -> None:
        self._events: list[dict] = []
        self._complaints = (worker.directory / "events.log").open("wb")
        self._process = subprocess.Popen(
            [PROGRAM, "events", "--json"], env=worker.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self._complaints, text=True, start_new_session=True,
        )
        self._pid_file = PidFile(worker.directory / "events.pid", self._process)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            event = json.loads(line)
            self._events.append(event)
            data = event.get("data", {})
            detail = " ".join(f"{key}={data[key]}" for key in list(data)[:4])
            screen.event(event["type"], event.get("subject", ""), detail)

    def of(self, job: str) -> list[str]:
        """The types of the events of one job, in the order of their arrival."""
        return [event["type"] for event in list(self._events) if event.get("jobid", "").lower() == job.lower()]

    def wait_for(self, job: str, kind: str) -> dict:
        """Waits for an event of this type about this job; returns its data."""
        wait_until(f"event {kind} of job {job}", lambda: kind in self.of(job) or self._check())
        return next(event["data"] for event in self._events if event["type"] == kind and event["jobid"] == job)

    def _check(self) -> None:
        if self._process.poll() is not None:
            complaint = pathlib.Path(self._complaints.name).read_text()
            raise Failure(f"gpudev-worker events ended with {self._process.returncode}: {complaint}")

    def stop(self) -> None:
        """Ends the command."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=20)
        self._pid_file.remove()
        self._reader.join(timeout=5)
        self._complaints.close()


def base_environment() -> dict[str, str]:
    """What every command of the worker gets, before the settings of its own."""
    kept = ("PATH", "HOME", "LD_LIBRARY_PATH", "AMQP_URL", "DATABASE_URL", "LOG_LEVEL")
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return {name: os.environ[name] for name in kept if name in os.environ} | aws
