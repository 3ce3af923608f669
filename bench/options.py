"""What a run of the benchmark was asked for."""

import argparse
import re
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How much of everything; `quick` shows that it works and proves nothing."""

    rounds: int
    jobs: int
    seconds: int
    waiting_jobs: int
    fleets: tuple[int, ...]
    tls: bool = False
    nodes: int = 1
    delay: int = 0
    """Of each byte between workers and services, in each direction, in µs."""

    @classmethod
    def chosen(cls, quick: bool, rounds: int | None, **surroundings) -> "Options":
        if quick:
            return cls(rounds or 1, 4000, 3, 200, (100, 1000), **surroundings)
        return cls(rounds or 3, 15000, 6, 1000, (100, 1000, 10000), **surroundings)

    @property
    def condition(self) -> str:
        """What is unlike the usual run, in words; empty if nothing is."""
        if self.tls:
            return "TLS to RabbitMQ and PostgreSQL"
        if self.nodes > 1:
            return f"RabbitMQ as {self.nodes} nodes"
        return f"{self.delay / 1000:g} ms more in each direction" if self.delay else ""


def microseconds(text: str) -> int:
    """A duration such as `0.5ms` or `200us`, in µs."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(us|µs|ms|s)", text)
    if not found:
        raise argparse.ArgumentTypeError("a duration is a number with us, ms or s, such as 0.5ms")
    return round(float(found[1]) * {"us": 1, "µs": 1, "ms": 1000, "s": 1_000_000}[found[2]])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
