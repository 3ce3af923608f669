"""The part throughput where something is unlike the usual run: TLS, a cluster, or services that are further away."""

from bench import candidates, ways
from bench.candidates import Candidate
from bench.figures import Figure, Row
from bench.options import Options, say
from bench.rounds import Rounds
from bench.statements import recorded
from bench.throughput import run


def measure(options: Options) -> list[Row]:
    """The same jobs as usual and as the options ask, in turn."""
    statements, usual, there = recorded(), Rounds(), Rounds()
    found = candidates.available(options)
    for number in range(options.rounds):
        say(f"{options.condition}, round {number + 1} of {options.rounds}")
        for candidate in found:
            usual.add_run(candidate.name, *run(candidate, statements, options.jobs))
        with ways.chosen(options) as way:
            for candidate in found:
                there.add_run(candidate.name, *run(candidate, statements, options.jobs, way))
    return [_row(candidate, usual, there) for candidate in found]


def _row(candidate: Candidate, usual: Rounds, there: Rounds) -> Row:
    name = candidate.name
    share = Figure.of([rate / base for rate, base in zip(there.rates[name], usual.rates[name])])
    return Row(
        "throughput", name, candidate.meaning, "jobs/s", Figure.of(there.rates[name]), share, "of the usual",
        *there.usage(name), more={"usual": Figure.of(usual.rates[name])}, costs=there.cost(name))
