"""The built program: where it is, and how its commands are run."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.machine import scaled
from harness.repository import ROOT

PROGRAM = Path(os.environ.get("GPUDEV_TEST_PROGRAM", ROOT / ".build/debug/gpudev-worker"))
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class CommandFailed(AssertionError):
    """A command ended with another exit code than it should."""


def run_program(
        arguments: Sequence[str], environment: dict[str, str], given: str = "", seconds: float = 60,
) -> subprocess.CompletedProcess:
    """Runs one command to its end, with `given` as its standard input."""
    return subprocess.run(
        [PROGRAM, *arguments], env=environment, input=given, capture_output=True, text=True, timeout=scaled(seconds),
        check=False)


def call_program(
        arguments: Sequence[str], environment: dict[str, str], allowed: tuple[int, ...] = (0,), seconds: float = 60) -> str:
    """Runs one command that must end with one of the allowed exit codes, and returns its standard output."""
    result = run_program(arguments, environment, seconds=seconds)
    if result.returncode not in allowed:
        raise CommandFailed(
            f"gpudev-worker {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout.strip()


def start_worker(environment: dict[str, str], log: Path, launcher: Sequence[str] = ()) -> subprocess.Popen:
    """Starts a worker that logs into a file; `launcher` is a command that becomes the worker in the end."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*launcher, PROGRAM, "run"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
