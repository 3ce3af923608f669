"""The table, on the terminal and in docs/benchmark.md, and what else `--write` leaves in docs/."""

import json
import pathlib

from bench import chart
from bench.figures import Figure, Row
from harness.repository import ROOT

HEAD = [
    "what", "median (spread)", "ratio", "worker CPU s / 1,000", "machine CPU s / 1,000", "MiB", "target"]
BEGIN, END = "<!-- benchmark: written by ./dev bench --write -->", "<!-- end of benchmark -->"


def _cells(row: Row) -> list[str]:
    def text(figure: Figure | None) -> str:
        return figure.text() if figure else ""

    ratio = f"{row.ratio.text()} {row.ratio_to}" if row.ratio else ""
    return [row.name, f"{row.figure.text()} {row.unit}", ratio, text(row.worker_cpu), text(row.machine_cpu),
            text(row.memory), row.target]


def terminal(rows: list[Row], results: dict) -> str:
    """The table with what each line means below it."""
    table = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    meanings = [f"{row.name}: {row.meaning}." for row in rows]
    return "\n".join(["", *lines, "", *meanings, "", conditions(results), ""])


def conditions(results: dict) -> str:
    """Where it was measured."""
    machine = results["machine"]
    return (
        f"{machine['cores']} cores ({machine['processor']}) shared by all, PostgreSQL {machine['postgresql']}, RabbitMQ"
        f" {machine['rabbitmq']}, commit {machine['commit']}, {results['options']['rounds']} rounds; other programs"
        f" used {machine['busy_with_others']:.0%} of the machine at the start.")


def markdown(rows: list[Row], results: dict) -> str:
    """The same for docs/benchmark.md, without the meanings."""
    lines = [HEAD, ["---"] * len(HEAD), *(_cells(row) for row in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\n{conditions(results)}\n"


def write(results: dict, rows: list[Row]) -> None:
    """Writes docs/benchmark.json and docs/benchmark.svg, and the table between the markers of docs/benchmark.md."""
    docs = ROOT / "docs"
    (docs / "benchmark.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    (docs / "benchmark.svg").write_text(chart.throughput([row for row in rows if row.part == "throughput"]))
    _replace(docs / "benchmark.md", markdown(rows, results))


def _replace(file: pathlib.Path, text: str) -> None:
    before, begin, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RuntimeError(f"{file.name} has lost the markers between which the table goes")
    file.write_text(f"{before}{BEGIN}\n{text}{END}{after}")
