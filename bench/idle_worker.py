"""Part 6: what a worker takes that has nothing to do, but is asked how it is, as in a pod."""

import contextlib
import re
import time
import urllib.error

from bench.figures import Figure, Row
from bench.options import Options, say
from bench.resource_usage import cpu_seconds, resident_memory
from bench.site import Site, site
from harness.network.loopback import open_url
from harness.waiting import eventually

SETTLING, WATCHED, SHORT = 20, 60, 10
# How often a kubelet and Prometheus ask, in seconds.
PERIODS = {"/readyz": 5, "/livez": 10, "/metrics": 30}
MEMORY_TARGET, CPU_TARGET = 40e6 / 1048576, 0.001


def measure(options: Options) -> list[Row]:
    memory, own, shares = [], [], []
    for position in range(options.rounds):
        say(f"at rest, round {position + 1} of {options.rounds}")
        with site() as place:
            worker = place.start().pid
            port = _port(place)
            _ask(port, SETTLING)
            before = cpu_seconds([worker])
            seconds = _ask(port, WATCHED if options.rounds > 1 else SHORT)
            shares.append((cpu_seconds([worker]) - before) / seconds)
            memory.append(resident_memory(worker))
            own.append(resident_memory(worker, "RssAnon"))
    resident, share, alone = Figure.of(memory), Figure.of(shares), Figure.of(own)
    fits, rests = resident.median <= MEMORY_TARGET, share.median <= CPU_TARGET
    return [
        Row("rest", "memory at rest", f"resident; {alone.text()} of it is the process's own, the rest are pages of files",
            "MiB", resident, target=f"{'✓' if fits else '✗'} ≤ {MEMORY_TARGET:.1f}", is_met=fits,
            more={"own": alone.median}),
        Row("rest", "CPU at rest", "with probes and scrapes", "of a core", share,
            target=f"{'✓' if rests else '✗'} ≤ {CPU_TARGET}", is_met=rests),
    ]


def _port(place: Site) -> int:
    listens = re.compile(r'"the admin port listens".*"http.port":"(\d+)"')
    return int(eventually("the admin port listens", lambda: listens.search(place.log()))[1])


def _ask(port: int, seconds: float) -> float:
    """Asks as often as is usual for so long; returns how long it took."""
    start = time.monotonic()
    for second in range(round(seconds)):
        for path, period in PERIODS.items():
            if second % period == 0:
                with contextlib.suppress(urllib.error.HTTPError):  # a no is an answer too
                    open_url(f"http://127.0.0.1:{port}{path}", timeout=5).close()
        time.sleep(max(0, start + second + 1 - time.monotonic()))
    return time.monotonic() - start
