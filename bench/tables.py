"""Tables in Markdown, and their places in documents."""

import re

from bench.figures import Figure, Row
from bench.job_costs import COSTS

HEAD = ["what", "median (spread)", "ratio", "worker CPU s / 1,000", "machine CPU s / 1,000", "MiB", "target"]


def cells(row: Row) -> list[str]:
    """A row as the columns of `HEAD`."""
    ratio = f"{row.ratio.text()} {row.ratio_to}" if row.ratio else ""
    return [
        row.name, f"{row.figure.text()} {row.unit}", ratio, text(row.worker_cpu), text(row.machine_cpu), text(row.memory),
        target(row)]


def target(row: Row) -> str:
    """The target with a mark that tells whether it is met; several targets have their own."""
    if not row.target or row.target[0] in "✓✗":
        return row.target
    return f"{'✓' if row.is_met else '✗'} {row.target}"


def text(figure: Figure | None) -> str:
    return figure.text() if figure else ""


def results(rows: list[Row]) -> list[list[str]]:
    return [HEAD, *(cells(row) for row in rows)]


def costs(rows: list[Row]) -> list[list[str]]:
    """What a job costs others, of the rows that tell."""
    counted = [row for row in rows if row.costs]
    return [["a job of", *COSTS], *([row.name, *(text(row.costs.get(name)) for name in COSTS)] for row in counted)]


def markdown(table: list[list[str]]) -> str:
    """A table whose first line is its head."""
    lines = [table[0], ["---"] * len(table[0]), *table[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def plain(table: list[list[str]]) -> str:
    """The same for a terminal."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines) + "\n"


def replaced(document: str, name: str, content: str) -> str:
    """The document with the content between the markers of that name."""
    begin, end = f"<!-- benchmark: {name}, written by ./dev bench --write -->\n", "<!-- end of benchmark -->"
    changed, count = re.subn(
        re.escape(begin) + r".*?" + re.escape(end), lambda _: begin + content + end, document, flags=re.DOTALL)
    if count != 1:
        raise RuntimeError(f"a document has lost the markers between which {name} goes")
    return changed
