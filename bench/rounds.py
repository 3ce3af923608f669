"""What several rounds have measured, of several workers in turn."""

from bench import job_costs
from bench.figures import Figure
from bench.resource_usage import Run


class Rounds:
    """By name: the rate of each round, the runs of workers, and what a job cost in them."""

    def __init__(self) -> None:
        self.rates: dict[str, list[float]] = {}
        self.runs: dict[str, list[Run]] = {}
        self.costs: dict[str, list[dict[str, float]]] = {}

    def add_rate(self, name: str, rate: float) -> None:
        self.rates.setdefault(name, []).append(rate)

    def add_run(self, name: str, run: Run, costs: dict[str, float]) -> None:
        self.add_rate(name, run.rate)
        self.runs.setdefault(name, []).append(run)
        self.costs.setdefault(name, []).append(costs)

    def add_counts(self, name: str, counts: dict[str, float]) -> None:
        """Adds costs that were counted in a run of their own."""
        for costs in self.costs[name]:
            costs |= counts

    def usage(self, name: str) -> list[Figure]:
        """CPU of the worker and of the machine, in s for 1,000 jobs, and memory in MiB."""
        return [
            Figure.of([getattr(run, what) for run in self.runs[name]]) for what in ("worker_cpu", "machine_cpu", "memory")]

    def cost(self, name: str) -> dict[str, Figure]:
        return {
            what: Figure.of([costs[what] for costs in self.costs[name]])
            for what in job_costs.COSTS if what in self.costs[name][0]}

    def times(self, name: str, other: str) -> Figure | None:
        """How often one rate has the other in it, formed within each round; nothing if one is missing."""
        if name not in self.rates or other not in self.rates:
            return None
        return Figure.of([rate / base for rate, base in zip(self.rates[name], self.rates[other])])
