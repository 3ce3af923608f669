"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

from harness.machine import scaled


class TimedOut(AssertionError):
    """A condition did not become true in time."""


def eventually(what: str, condition: Callable[[], object], seconds: float = 30):
    """Returns the first true value of the condition; fails after so many seconds, more on a slower machine."""
    bound = scaled(seconds)
    deadline = time.monotonic() + bound
    while True:
        if value := condition():
            return value
        if time.monotonic() >= deadline:
            raise TimedOut(f"waited {bound:.0f} s in vain: {what}")
        time.sleep(0.05)
