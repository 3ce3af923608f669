"""The program under demonstration: its commands, its running replicas and the events that it prints."""

import json
import os
import pathlib
import shlex
import subprocess
import threading

import screen
from harness import worker
from harness.program import PROGRAM, CommandFailed, call_program
from harness.waiting import eventually


class Program:
    """gpudev-worker's commands, with one environment for all of them."""

    def __init__(self, environment: dict[str, str], directory: pathlib.Path) -> None:
        self.environment = environment
        self.directory = directory

    def call(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Runs one command to its end and returns its standard output."""
        return call_program(arguments, self.environment, allowed, seconds=120)

    def enqueue(self, kind: str, payload: dict, *options: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Enqueues a job with the options given and returns its id."""
        body = json.dumps(payload)
        screen.fact(f"-> {kind} {body}")
        # With --wait a second line tells what the job's event says.
        return self.call("enqueue", kind, body, *options, allowed=allowed).partition("\n")[0]

    def keep_environment(self, settings: dict[str, str]) -> None:
        """Adds settings for this demonstration's commands, and for those that are typed by hand afterwards."""
        self.environment |= settings
        with (self.directory / "env").open("a") as file:
            file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())

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


class Replica(worker.Replica):
    """One running worker in a session of its own, so that it can stay when the demonstration has ended."""

    def __init__(self, program: Program, number: int) -> None:
        self.name = f"worker-{number}"
        super().__init__(
            program.environment | {"HTTP_PORT": "0"}, program.directory / f"{self.name}.log", launcher=("setsid",))
        self._pid_file = PidFile(program.directory / f"{self.name}.pid", self.process)

    def check(self) -> None:
        """Raises when the process has ended, with the end of its log."""
        if not self.is_alive:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise CommandFailed(f"{self.name} ended with {self.process.returncode}:\n{tail}")

    def stop(self, seconds: float = 40) -> int:
        try:
            return super().stop(seconds)
        finally:
            self._pid_file.remove()


class EventsCommand:
    """The command `events`, whose lines are shown and kept as they come."""

    def __init__(self, program: Program) -> None:
        self._events: list[dict] = []
        self._complaints = (program.directory / "events.log").open("wb")
        self._process = subprocess.Popen(
            [PROGRAM, "events", "--json"], env=program.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self._complaints, text=True, start_new_session=True,
        )
        self._pid_file = PidFile(program.directory / "events.pid", self._process)
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
        eventually(f"event {kind} of job {job}", lambda: kind in self.of(job) or self._check(), 60)
        return next(event["data"] for event in self._events if event["type"] == kind and event["jobid"] == job)

    def _check(self) -> None:
        if self._process.poll() is not None:
            complaint = pathlib.Path(self._complaints.name).read_text()
            raise CommandFailed(f"gpudev-worker events ended with {self._process.returncode}: {complaint}")

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
