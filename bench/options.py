"""What a run of the benchmark was asked for."""

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

    @classmethod
    def chosen(cls, quick: bool, rounds: int | None) -> "Options":
        if quick:
            return cls(rounds or 1, 4000, 3, 200, (100, 1000))
        return cls(rounds or 3, 15000, 6, 1000, (100, 1000, 10000))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
