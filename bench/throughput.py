"""Part 1: jobs a second with a full queue, beside PostgreSQL alone and beside other workers."""

from bench import awa_baseline, candidates, job_costs, ways
from bench.candidates import Candidate
from bench.figures import Figure, Row, at_least, at_most
from bench.names import AWA, CELERY, C_ONE, C_TWO, FIVE_TRIPS, GO, LIMIT, ONE, TWO
from bench.options import Options, say
from bench.producer import publish
from bench.resource_usage import Run, peak_memory, steady, watch
from bench.rounds import Rounds
from bench.site import site
from bench.statements import Statement, parametrized, pgbench, recorded
from harness.broker import broker_url
from harness.database import server_url
from harness.waiting import eventually

CLIENTS = 16
PATIENCE = 60
COUNTED_JOBS = 4000

MEANINGS = {
    LIMIT: "pgbench runs the statements of a job in one pipeline, 16 clients: what the database can take, no broker",
    FIVE_TRIPS: "pgbench, the same as BEGIN, three INSERTs, COMMIT: how a usual client does it",
}


def measure(options: Options) -> list[Row]:
    statements, rounds = recorded(), Rounds()
    found = candidates.available(options)
    for number in range(options.rounds):
        say(f"throughput, round {number + 1} of {options.rounds}")
        rounds.add_rate(LIMIT, pgbench(statements, 1, CLIENTS, options.seconds).rate)
        for candidate in found:
            rounds.add_run(candidate.name, *run(candidate, statements, candidate.jobs(options)))
        rounds.add_rate(FIVE_TRIPS, pgbench(statements, 5, CLIENTS, options.seconds).rate)
        rounds.add_run(AWA, *awa_baseline.run(options.jobs))
    for candidate in found:
        rounds.add_counts(candidate.name, count(candidate, statements))
    meanings = {candidate.name: candidate.meaning for candidate in found} | {AWA: awa_baseline.MEANING}
    return [*_limits(rounds), *(_row(name, meaning, rounds) for name, meaning in meanings.items())]


def run(
        candidate: Candidate, statements: list[Statement], jobs: int, way: ways.Way = ways.STRAIGHT,
) -> tuple[Run, dict[str, float]]:
    """A queue full of jobs, then the worker, until the last event is there: the steady part, and what a job cost."""
    with site(way) as place:
        publish(candidate.fill(place, jobs), place.keep_alive)
        eventually("the jobs are in the queue", lambda: place.depth(candidate.queue(place)) == jobs)
        meter = job_costs.CostMeter(place)
        candidate.start(place, parametrized(statements))
        processes = [process.pid for process in place.processes]
        samples = watch(place.events, jobs, processes, PATIENCE)
        steady_part = steady(samples, peak_memory(processes))
        candidate.check(place, jobs)
        return steady_part, meter.stop(jobs)


def count(candidate: Candidate, statements: list[Statement]) -> dict[str, float]:
    """Messages a job, counted on the way to both services by relays that read their framing; not timed."""
    say(f"counting the messages of {candidate.name}")
    jobs = COUNTED_JOBS // 4 if candidate.message else COUNTED_JOBS
    relays = ways.Relay(broker_url(), "amqp"), ways.Relay(server_url(), "postgresql")
    try:
        run(candidate, statements, jobs, ways.Way(relays[0].port, relays[1].port))
    finally:
        frames, round_trips = (relay.close() / jobs for relay in relays)
    return {job_costs.FRAMES: frames, job_costs.ROUND_TRIPS: round_trips}


def _limits(rounds: Rounds) -> list[Row]:
    return [
        Row("throughput", name, meaning, "jobs/s", Figure.of(rounds.rates[name]), rounds.times(name, LIMIT), "of limit")
        for name, meaning in MEANINGS.items()]


def _row(name: str, meaning: str, rounds: Rounds) -> Row:
    cpu, machine, memory = rounds.usage(name)
    targets, times = _targets(name, rounds, cpu, memory)
    # Another job has another limit.
    of_limit = None if name == AWA else rounds.times(name, LIMIT)
    return Row(
        "throughput", name, meaning, "jobs/s", Figure.of(rounds.rates[name]), of_limit, "of limit", cpu, machine, memory,
        **_together(targets), more={"times": times} if times else {}, costs=rounds.cost(name))


def _targets(name: str, rounds: Rounds, cpu: Figure, memory: Figure) -> tuple[list[dict], dict[str, Figure]]:
    """The targets of a row, and the ratios to other rows, which only this program's have."""
    if name == TWO:
        times = rounds.times(TWO, ONE)
        return [at_least(times, 0.95, f"× {ONE}")], {ONE: times}
    if name != ONE:
        return [], {}
    bounds = {C_TWO: 1, GO: 1.5, CELERY: 8}
    times = {other: rounds.times(ONE, other) for other in (C_ONE, *bounds)}
    times = {other: ratio for other, ratio in times.items() if ratio}
    targets = [at_least(times[other], bound, f"× {other}") for other, bound in bounds.items() if other in times]
    of_limit = at_least(rounds.times(ONE, LIMIT), 0.55, "of limit")
    return [of_limit, *targets, at_most(cpu, 0.09, "CPU s"), at_most(memory, 30, "MiB")], times


def _together(targets: list[dict]) -> dict:
    """Several targets in one cell, each with its own mark."""
    if not targets:
        return {}
    marked = [f"{'✓' if target['is_met'] else '✗'} {target['target']}" for target in targets]
    return {"target": ", ".join(marked), "is_met": all(target["is_met"] for target in targets)}
