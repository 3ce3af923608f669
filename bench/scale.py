"""From the measured figures to a billion jobs a day: arithmetic only, for the table of docs/scale.md."""

import math

from bench.figures import Row, number
from bench.job_costs import COMMITS, DEAD_ROWS, PACKETS, WAL
from bench.names import ONE
from bench.results import Results

JOBS_A_DAY = 10**9
SECONDS_A_DAY = 86_400
PEAK = 3
"""How many times the average the busiest hour is taken to be."""
LEDGER_DAYS = 14
"""How long the ledger keeps a job that has succeeded."""

AVERAGE = JOBS_A_DAY / SECONDS_A_DAY
Line = tuple[str, float, str, str]
"""What it is, how much, its unit, and what it was computed from."""


def table(usual: Results) -> list[list[str]]:
    """Quantities, figures with their units, and where each comes from."""
    rows = {row.name: row for row in usual.rows}
    lines = [*_rates(rows[ONE]), *_costs(rows[ONE]), *_ledger(usual.rows)]
    return [["what", "how much", "from"], *([what, _quantity(value, unit), source] for what, value, unit, source in lines)]


def _quantity(value: float, unit: str) -> str:
    shown = f"{value:,}" if isinstance(value, int) else number(value)
    return f"{shown} {unit}".rstrip()


def _rates(one: Row) -> list[Line]:
    rate, peak = one.figure.median, AVERAGE * PEAK
    lines: list[Line] = [
        ("jobs a second, on average", AVERAGE, "jobs/s", "10⁹ / 86,400 s"),
        ("in the busiest hour", peak, "jobs/s", f"taken to be {PEAK} times the average"),
        ("shards like this machine", math.ceil(peak / rate), "", f"one worker with its services does {number(rate)} jobs/s"),
    ]
    for what, cpu in (("cores busy with everything, on average", one.machine_cpu), ("of which workers", one.worker_cpu)):
        lines.append((what, cpu.median * AVERAGE / 1000, "cores", f"{number(cpu.median)} CPU s per 1,000 jobs"))
    return lines


def _costs(one: Row) -> list[Line]:
    each: list[tuple[str, str, float, str, str]] = [
        ("WAL a day", WAL, JOBS_A_DAY / 1e12, "TB", "bytes"),
        ("WAL a second, on average", WAL, AVERAGE / 1e6, "MB/s", "bytes"),
        ("commits a second, on average", COMMITS, AVERAGE, "commits/s", "commits"),
        ("dead rows for vacuum a second, on average", DEAD_ROWS, AVERAGE, "rows/s", "dead rows"),
        ("packets of workers a second, on average", PACKETS, AVERAGE, "packets/s", "packets"),
    ]
    return [
        (what, one.costs[name].median * factor, unit, f"{number(one.costs[name].median)} {words} a job")
        for what, name, factor, unit, words in each if name in one.costs]


def _ledger(rows: list[Row]) -> list[Line]:
    """The disk that the ledger takes, if a long run has measured how much a row and its index entries take."""
    for row in rows:
        if "job_ledger" in row.more and "jobs" in row.more:
            size = row.more["job_ledger"] * 1048576 / row.more["jobs"]
            return [(
                f"ledger of {LEDGER_DAYS} days", size * JOBS_A_DAY * LEDGER_DAYS / 1e12, "TB",
                f"{number(size)} bytes a job, indexes included")]
    return []
