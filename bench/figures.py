"""Figures with their spread, and the rows of the table that they go into."""

import statistics
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Figure:
    """One quantity, measured several times: the median, and the least and the greatest."""

    median: float
    least: float
    greatest: float
    rounds: int

    @classmethod
    def of(cls, values: list[float]) -> "Figure":
        return cls(statistics.median(values), min(values), max(values), len(values))

    def text(self) -> str:
        """The median, and the spread where there is one."""
        if self.rounds == 1 or self.least == self.greatest:
            return number(self.median)
        return f"{number(self.median)} ({number(self.least)}–{number(self.greatest)})"


def number(value: float) -> str:
    """Three digits that count, and thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


FIGURES = ("figure", "ratio", "worker_cpu", "machine_cpu", "memory")


@dataclass(frozen=True)
class Row:
    """One line of the table; what it means is told in words."""

    part: str
    name: str
    meaning: str
    unit: str
    figure: Figure
    ratio: Figure | None = None
    ratio_to: str = ""
    worker_cpu: Figure | None = None
    machine_cpu: Figure | None = None
    memory: Figure | None = None
    target: str = ""
    is_met: bool | None = None
    more: dict = field(default_factory=dict)
    costs: dict[str, Figure] = field(default_factory=dict)
    """What one job costs others, by the names of `job_costs`."""

    def values(self) -> dict:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict) -> "Row":
        """The row that JSON has."""
        figures = {name: Figure(**values[name]) for name in FIGURES if values[name]}
        costs = {name: Figure(**figure) for name, figure in values.get("costs", {}).items()}
        return cls(**values | figures | {"costs": costs})


def at_least(figure: Figure, bound: float, what: str) -> dict:
    """The target of a row, and whether the median meets it."""
    return {"target": f"{what} ≥ {bound:g}", "is_met": figure.median >= bound}


def at_most(figure: Figure, bound: float, what: str) -> dict:
    return {"target": f"{what} ≤ {bound:g}", "is_met": figure.median <= bound}
