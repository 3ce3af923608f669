"""`./dev bench`: measures the parts that are asked for, prints one table, keeps the results."""

import argparse
import json
import os
import signal
import sys
import time

from bench import (
    cold_start, endurance, idle_worker, large_ledger, latency, long_snapshot, reconcile, report, throughput, waiting_on_aws)
from bench.options import Options, say
from bench.resource_usage import others_busy
from bench.site import PLACE, prepare_template, versions
from harness.machine import slowness
from harness.program import PROGRAM

PARTS = {
    "throughput": throughput, "latency": latency, "waiting": waiting_on_aws, "reconcile": reconcile, "start": cold_start,
    "rest": idle_worker, "endurance": endurance, "large-ledger": large_ledger, "long-snapshot": long_snapshot,
}
LONG = ("endurance", "large-ledger", "long-snapshot")
RESULTS = PLACE.parent / "bench-results.json"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all but the last three by default")
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it works, proves nothing")
    parser.add_argument("--rounds", type=int, help="how often each thing is measured in turn (3)")
    parser.add_argument("--long", action="store_true", help=f"{', '.join(LONG)} too, about twenty-five minutes")
    parser.add_argument("--write", action="store_true", help="put the results into docs/")
    chosen = parser.parse_args()
    unknown = [part for part in chosen.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part is named {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if chosen.write and chosen.quick:
        parser.error("a quick run proves nothing and is not written down")
    return chosen


def main() -> int:
    chosen = arguments()
    if "GPUDEV_TEST_DATABASE_URL" not in os.environ:
        sys.exit("bench: run it as ./dev bench, which starts the services that it needs")
    if not PROGRAM.exists():
        sys.exit(f"bench: {PROGRAM} is missing; ./dev bench builds it")
    # What a part has started is ended on the way out of its block.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = Options.chosen(chosen.quick, chosen.rounds)
    parts = chosen.parts or [part for part in PARTS if part not in LONG]
    if chosen.long:
        parts += [part for part in LONG if part not in parts]
    # Waits grow with what the machine does; that is measured now, before anything else is.
    slowness()
    prepare_template()
    machine = versions() | {"busy_with_others": round(others_busy(), 3)}
    rows, began = [], time.time()
    for part in parts:
        rows += PARTS[part].measure(options)
        results = {
            "machine": machine, "options": vars(options), "began": int(began), "rows": [row.values() for row in rows]}
        RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    say(f"took {time.time() - began:.0f} s")
    print(report.terminal(rows, results))
    if chosen.write:
        report.write(results, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
