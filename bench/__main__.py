"""`./dev bench`: measures the parts that are asked for, prints one table, keeps the results."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable

from bench import (
    cold_start, elsewhere, endurance, idle_worker, instructions, large_ledger, latency, long_snapshot, reconcile, report,
    shards, throughput, waiting_on_aws)
from bench.figures import Row
from bench.options import Options, microseconds, say
from bench.resource_usage import others_busy
from bench.results import APART, Results, as_json
from bench.site import PLACE, prepare_template, versions
from harness.machine import slowness
from harness.program import PROGRAM

PARTS = {
    "throughput": throughput, "latency": latency, "waiting": waiting_on_aws, "reconcile": reconcile, "start": cold_start,
    "rest": idle_worker, "endurance": endurance, "large-ledger": large_ledger, "long-snapshot": long_snapshot,
    "shards": shards, "instructions": instructions,
}
LONG = ("endurance", "large-ledger", "long-snapshot")
ON_DEMAND = {*LONG, "shards", "instructions"}
USUAL_PARTS = PARTS.keys() - ON_DEMAND
RESULTS = PLACE.parent / "bench-results.json"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all but the last five by default")
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it works, proves nothing")
    parser.add_argument("--rounds", type=int, help="how often each thing is measured in turn (3)")
    parser.add_argument("--long", action="store_true", help=f"{', '.join(LONG)} too, about twenty-five minutes")
    parser.add_argument("--write", action="store_true", help="put the results into docs/")
    unlike = parser.add_mutually_exclusive_group()
    unlike.add_argument("--tls", action="store_true", help="only throughput, as usual and over TLS")
    unlike.add_argument(
        "--nodes", type=int, choices=(1, 3), default=1, help="only throughput, as usual and with RabbitMQ as three nodes")
    unlike.add_argument(
        "--delay", type=microseconds, default=0, metavar="TIME",
        help="only throughput, as usual and with each byte to and from the services so much later, such as 0.5ms")
    chosen = parser.parse_args()
    if complaint := mistake(chosen):
        parser.error(complaint)
    return chosen


def mistake(chosen: argparse.Namespace) -> str | None:
    """What does not go together in the arguments."""
    is_unlike = chosen.tls or chosen.nodes > 1 or chosen.delay > 0
    apart = {part for part, name in APART.items() if name in {APART.get(part) for part in chosen.parts}}
    is_whole = is_unlike or not chosen.parts or apart == set(chosen.parts) or USUAL_PARTS <= set(chosen.parts)
    if unknown := [part for part in chosen.parts if part not in PARTS]:
        return f"no part is named {', '.join(unknown)}; there are {', '.join(PARTS)}"
    if chosen.rounds is not None and chosen.rounds < 1:
        return "--rounds must be 1 or more"
    if is_unlike and chosen.parts not in ([], ["throughput"]):
        return "--tls, --nodes and --delay are for the part throughput alone"
    if chosen.write and chosen.quick:
        return "a quick run proves nothing and is not written down"
    if chosen.write and not is_whole:
        return (
            "--write is for all the usual parts together, for shards or instructions alone, for large-ledger with"
            " long-snapshot, or with --tls, --nodes or --delay")
    return None


def main() -> int:
    chosen = arguments()
    if "GPUDEV_TEST_DATABASE_URL" not in os.environ:
        sys.exit("bench: run it as ./dev bench, which starts the services that it needs")
    if not PROGRAM.exists():
        sys.exit(f"bench: {PROGRAM} is missing; ./dev bench builds it")
    # What a part has started is ended on the way out of its block.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = Options.chosen(chosen.quick, chosen.rounds, tls=chosen.tls, nodes=chosen.nodes, delay=chosen.delay)
    # Waits grow with what the machine does; that is measured now, before anything else is.
    slowness()
    prepare_template()
    run = Results(versions() | {"busy_with_others": round(others_busy(), 3)}, vars(options), int(time.time()), [])
    for measure in measures(chosen, options):
        run.rows.extend(measure(options))
        RESULTS.write_text(as_json(run.values()))
    say(f"took {time.time() - run.began:.0f} s")
    print(report.terminal(run))
    if chosen.write:
        report.write(run, options.condition)
    return 0


def measures(chosen: argparse.Namespace, options: Options) -> list[Callable[[Options], list[Row]]]:
    """What is to be done, in its order."""
    if options.condition:
        return [elsewhere.measure]
    parts = chosen.parts or [part for part in PARTS if part not in ON_DEMAND]
    if chosen.long:
        parts += [part for part in LONG if part not in parts]
    return [PARTS[part].measure for part in parts]


if __name__ == "__main__":
    sys.exit(main())
