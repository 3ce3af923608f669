"""The table of docs/reliability.md, made from what the experiments left behind, of one run or of several together."""

import collections
import json
import statistics
import sys

from harness.repository import ROOT

RESULTS = ROOT / ".local/experiments"
DOCUMENT = ROOT / "docs/reliability.md"
START, END = "<!-- experiments -->", "<!-- end of experiments -->"
SUMS = ("attempted", "acknowledged", "succeeded", "dead", "lost", "doubled", "repeats")
HEAD = (
    "| | experiment | jobs | confirmed | succeeded | dead by design | lost | doubled effects | events repeated |"
    " recovery, median / max s |\n|---|---|---|---|---|---|---|---|---|---|")


def table() -> str:
    experiments = collections.defaultdict(list)
    for path in RESULTS.glob("*.json"):
        result = json.loads(path.read_text())
        experiments[result["number"], result["title"]].append(result)
    lines, notes = [HEAD], []
    for (number, title), results in sorted(experiments.items()):
        sums = [sum(result[name] for result in results) for name in SUMS]
        recoveries = [seconds for result in results for seconds in result["recoveries"]]
        recovery = f"{statistics.median(recoveries):.1f} / {max(recoveries):.1f}" if recoveries else "–"
        lines.append(f"| {number} | {title} | " + " | ".join(f"{value:,}" for value in sums) + f" | {recovery} |")
        notes += [f"{title}: {result['note']}." for result in results if result["note"]]
    seeds = sorted({str(result["seed"]) for results in experiments.values() for result in results})
    return "\n\n".join(["\n".join(lines), *dict.fromkeys(notes), f"Seeds: {', '.join(seeds)}."])


def main() -> None:
    print(table())
    if "--write" in sys.argv:
        before, _, rest = DOCUMENT.read_text().partition(START)
        DOCUMENT.write_text(before + START + "\n\n" + table() + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
