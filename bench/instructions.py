"""Part 10, on demand: instructions and allocations of a job in user space, counted by callgrind, so the same on a busy machine."""

import pathlib
import re
import subprocess
import sys

from bench.figures import Figure, Row, at_most
from bench.options import Options, say
from bench.producer import disks, publish
from bench.site import PLACE, site
from harness.program import PROGRAM
from harness.waiting import eventually

FEW, MANY = 300, 1500
"""What a job takes is what so many more of them take: the start and the end of the program are in both runs."""
BOUNDS = {"instructions": 120_000, "allocations": 90}
KEPT = {"instructions": 188_000, "allocations": 75}
"""What a job took when that was last made less; a tenth more is a step back, and fails."""
ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}
CALLED = re.compile(r"cfn=\((\d+)\)(?: (.*))?")
NAMED = re.compile(r"c?fn=\((\d+)\) (.*)")


def measure(options: Options) -> list[Row]:
    counted = {jobs: _count(jobs) for jobs in (FEW, MANY)}
    each = {name: (counted[MANY][name] - counted[FEW][name]) / (MANY - FEW) for name in BOUNDS}
    for name, found in each.items():
        if found > KEPT[name] * 1.1:
            raise RuntimeError(f"a job takes {found:,.0f} {name}, and took {KEPT[name]:,}")
    return [
        Row("instructions", f"{name} of a job", f"of the release program in user space, {MANY} jobs less {FEW}", name,
            Figure.of([found]), **at_most(Figure.of([found]), BOUNDS[name], name))
        for name, found in each.items()]


def _count(jobs: int) -> dict[str, int]:
    """Of the whole life of a worker that does so many jobs."""
    say(f"counting the instructions of {jobs} jobs")
    output = PLACE / f"callgrind.{jobs}"
    with site() as place:
        publish(disks(place.name, jobs), place.keep_alive)
        place.launch(["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", _program(), "run"], place.environment)
        eventually("all jobs are done", lambda: place.events() == jobs, 180)
        place.stop()
    return {"instructions": _total(output), "allocations": allocations(output.read_text(errors="replace"))}


def _program() -> pathlib.Path:
    """The program without what valgrind cannot read of this compiler's: information for debuggers."""
    stripped = PLACE / "counted"
    try:
        subprocess.run(["valgrind", "--version"], capture_output=True, timeout=30, check=True)
    except FileNotFoundError:
        sys.exit("bench: valgrind is not installed: apt-get install --no-install-recommends valgrind")
    subprocess.run(["strip", "--strip-debug", "-o", str(stripped), str(PROGRAM)], timeout=60, check=True)
    return stripped


def _total(output: pathlib.Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", output.read_text(errors="replace"), flags=re.MULTILINE)
    if not found:
        raise RuntimeError(f"callgrind has left no sum in {output}")
    return int(found.group(1))


def allocations(output: str) -> int:
    """The calls of allocators from elsewhere, by callgrind's file; a name is given once and then known by its number."""
    names: dict[str, str] = {}
    within, called, calls = "", "", 0
    for line in output.splitlines():
        if found := NAMED.match(line):
            names[found.group(1)] = found.group(2).partition("'")[0]
        if found := CALLED.match(line):
            called = names.get(found.group(1), "")
        elif line.startswith("fn="):
            within = names.get(line[4:].partition(")")[0], "")
        elif line.startswith("calls=") and called in ALLOCATORS and within not in ALLOCATORS:
            calls += int(line[6:].split()[0])
    return calls
