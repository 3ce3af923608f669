"""How much slower this machine is than the one that the tests' waits were written for, found once for each run.

A wait in a test is a bound on hanging and no promise of speed, so all of them are multiplied by this factor. It is
never below 1. `GPUDEV_TEST_SLOWNESS` overrides what is measured, for load that begins in the middle of a run.
"""

import functools
import os
import subprocess
import sys
import time

WORK = "import hashlib\nfor n in range(4500): hashlib.pbkdf2_hmac('sha256', b'x', b'y', 400)"
QUIET = 0.45
"""Seconds that the piece of work takes, beside one like it on every other core, where the waits were written."""
MOST = 10.0
"""Beyond this a test that hangs would hold a run for hours."""
VARIABLE = "GPUDEV_TEST_SLOWNESS"


def measure() -> float:
    """Keeps every core at work at once, since a run does: what else is running takes its share."""
    command = [sys.executable, "-I", "-c", WORK]
    started = time.monotonic()
    workers = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    for worker in workers:
        worker.wait()
    return (time.monotonic() - started) / QUIET


@functools.cache
def slowness() -> float:
    """The factor; processes that are started from here on find it in their environment."""
    told = os.environ.get(VARIABLE)
    factor = min(max(float(told) if told else measure(), 1.0), MOST)
    os.environ[VARIABLE] = f"{factor:.2f}"
    return factor


def scaled(seconds: float) -> float:
    """What a wait of so many seconds is on this machine."""
    return seconds * slowness()


if __name__ == "__main__":
    print(f"{slowness():.2f}")
