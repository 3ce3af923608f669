"""What a run says on the terminal, and what `--write` leaves in docs/."""

import functools
import pathlib

from bench import chart, results, scale, tables
from bench.figures import Figure
from bench.results import APART, COUNTS, LARGE, SHARDS, USUAL, Results
from harness.repository import ROOT

DOCS = ROOT / "docs"


def terminal(run: Results) -> str:
    """The tables with what each line means below them."""
    meanings = [f"{row.name}: {row.meaning}." for row in run.rows]
    costs = tables.costs(run.rows)
    return "\n".join([
        "", tables.plain(tables.results(run.rows)), *([tables.plain(costs)] if len(costs) > 1 else []), *meanings, "",
        run.conditions(), ""])


def write(run: Results, condition: str) -> None:
    """Puts the run beside what was kept of others, and all of that into the documents."""
    results.save(results.load() | results.split(run, condition))
    for file, text in documents(results.load()).items():
        file.write_text(text)


def documents(kept: dict[str, Results]) -> dict[pathlib.Path, str]:
    """What follows from the results, by file."""
    usual = kept[USUAL]
    bars = chart.throughput([row for row in usual.rows if row.part == "throughput"])
    tables_of_pages = {
        DOCS / "benchmark.md": {
            "results": tables.markdown(tables.results(usual.rows)) + f"\n{usual.conditions()}\n",
            "costs": tables.markdown(tables.costs(usual.rows)), "elsewhere": _elsewhere(kept), "large": _apart(kept, LARGE),
            "counts": _apart(kept, COUNTS)},
        DOCS / "scale.md": {"shards": _apart(kept, SHARDS), "computed": tables.markdown(scale.table(usual))},
    }
    pages = {
        page: functools.reduce(lambda text, part: tables.replaced(text, *part), parts.items(), page.read_text())
        for page, parts in tables_of_pages.items()}
    return {DOCS / "benchmark.svg": bars, **pages}


def _elsewhere(kept: dict[str, Results]) -> str:
    """What was measured under each condition, and below it where."""
    conditions = {name: run for name, run in kept.items() if name not in (USUAL, *APART.values())}
    head = ["with", "worker", "jobs/s", "as usual", "ratio", "worker CPU s / 1,000", "machine CPU s / 1,000"]
    lines = [
        [name, row.name, row.figure.text(), Figure(**row.more["usual"]).text(), row.ratio.text(), tables.text(row.worker_cpu),
         tables.text(row.machine_cpu)]
        for name, run in conditions.items() for row in run.rows]
    notes = [f"\n{name}: {run.conditions()}\n" for name, run in conditions.items()]
    return tables.markdown([head, *lines]) + "".join(notes)


def _apart(kept: dict[str, Results], name: str) -> str:
    if name not in kept:
        return tables.markdown(tables.results([]))
    return tables.markdown(tables.results(kept[name].rows)) + f"\n{kept[name].conditions()}\n"
