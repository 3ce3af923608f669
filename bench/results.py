"""What `--write` keeps in docs/benchmark.json: the latest results of the usual run, and of each that is unlike it."""

import json
from typing import NamedTuple

from bench.figures import Row
from harness.repository import ROOT

FILE = ROOT / "docs/benchmark.json"
USUAL, SHARDS, LARGE, COUNTS = "usual", "shards", "large", "counts"
APART = {"shards": SHARDS, "large-ledger": LARGE, "long-snapshot": LARGE, "instructions": COUNTS}
"""Parts whose results are kept apart from the usual ones, and under which name."""


class Results(NamedTuple):
    """The rows of one run, where and how they were measured."""

    machine: dict
    options: dict
    began: int
    rows: list[Row]

    def values(self) -> dict:
        """As JSON has it."""
        return self._asdict() | {"rows": [row.values() for row in self.rows]}

    @classmethod
    def of(cls, values: dict) -> "Results":
        return cls(**values | {"rows": [Row.of(row) for row in values["rows"]]})

    def conditions(self) -> str:
        """The machine, the versions and the number of rounds, as a sentence."""
        machine = self.machine
        return (
            f"{machine['cores']} cores ({machine['processor']}) shared by all, PostgreSQL {machine['postgresql']}, RabbitMQ"
            f" {machine['rabbitmq']}, commit {machine['commit']}, {self.options['rounds']} rounds; other programs"
            f" used {machine['busy_with_others']:.0%} of the machine at the start.")


def split(results: Results, condition: str) -> dict[str, Results]:
    """The results by the name that they are kept under: the condition, or else the usual ones and those apart from them."""
    if condition:
        return {condition: results}
    kept: dict[str, list[Row]] = {}
    for row in results.rows:
        kept.setdefault(APART.get(row.part, USUAL), []).append(row)
    return {name: results._replace(rows=rows) for name, rows in kept.items()}


def load() -> dict[str, Results]:
    return {name: Results.of(values) for name, values in json.loads(FILE.read_text()).items()}


def save(kept: dict[str, Results]) -> None:
    FILE.write_text(as_json({name: results.values() for name, results in kept.items()}))


def as_json(values: dict) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
