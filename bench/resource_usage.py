"""What processes and the whole machine have used, as the kernel counts it."""

import os
import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


def family(process: int) -> list[int]:
    """A process and all that descends from it."""
    members = [process]
    for member in members:
        for file in pathlib.Path(f"/proc/{member}/task").glob("*/children"):
            try:
                members += map(int, file.read_text().split())
            except OSError:
                continue
    return members


def cpu_seconds(processes: list[int]) -> float:
    """What the processes and their children have used so far, ended children included."""
    ticks = 0
    for member in {member for process in processes for member in family(process)}:
        try:
            fields = pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def machine_seconds() -> float:
    """What everything on this machine has used since it started, over all cores."""
    fields = list(map(int, pathlib.Path("/proc/stat").read_text().split(None, 9)[1:9]))
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, _stolen = fields
    return (user + nice + system + interrupts + soft_interrupts) / TICKS


def peak_memory(processes: list[int]) -> float:
    """MiB that were resident at most; pages that children share with their parent count for each."""
    kibibytes = 0
    for member in (member for process in processes for member in family(process)):
        try:
            status = pathlib.Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        kibibytes += int(status.partition("VmHWM:")[2].split()[0])
    return kibibytes / 1024


def resident_memory(process: int, which: str = "VmRSS") -> float:
    """MiB that are resident now; with `RssAnon` without the pages of files."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{which}:")[2].split()[0]) / 1024


def others_busy(seconds: float = 2) -> float:
    """The share of the machine that is in use while the benchmark does nothing, from 0 to 1."""
    before = machine_seconds()
    time.sleep(seconds)
    return (machine_seconds() - before) / seconds / (os.cpu_count() or 1)


class Sample(NamedTuple):
    """Counters at one moment: seconds, jobs, seconds of CPU of the workers and of the machine."""

    time: float
    jobs: float
    worker: float
    machine: float


class Run(NamedTuple):
    """The steady part of one run, without its beginning and its end."""

    rate: float
    worker_cpu: float
    machine_cpu: float
    memory: float


def watch(count: Callable[[], int], total: int, processes: list[int], patience: float) -> list[Sample]:
    """Samples until `count` has reached `total`; fails when nothing moves for so many seconds."""
    samples: list[Sample] = []
    moved = time.monotonic()
    while not samples or samples[-1].jobs < total:
        samples.append(Sample(time.monotonic(), count(), cpu_seconds(processes), machine_seconds()))
        if len(samples) < 2 or samples[-1].jobs > samples[-2].jobs:
            moved = time.monotonic()
        elif time.monotonic() - moved > patience:
            raise RuntimeError(f"nothing moved for {patience:.0f} s, with {samples[-1].jobs:.0f} of {total} jobs done")
        time.sleep(0.05)
    return samples


def steady(samples: list[Sample], memory: float, low: float = 0.1, high: float = 0.9) -> Run:
    """What happened between two shares of all jobs."""
    first, last = (_at(samples, samples[-1].jobs * share) for share in (low, high))
    jobs = last.jobs - first.jobs
    return Run(
        jobs / (last.time - first.time), (last.worker - first.worker) / jobs * 1000,
        (last.machine - first.machine) / jobs * 1000, memory)


def _at(samples: list[Sample], jobs: float) -> Sample:
    """The counters at the moment when so many jobs were done, in a straight line between two samples."""
    for before, after in zip(samples, samples[1:]):
        if before.jobs <= jobs <= after.jobs and after.jobs > before.jobs:
            share = (jobs - before.jobs) / (after.jobs - before.jobs)
            return Sample(*(x + (y - x) * share for x, y in zip(before, after)))
    raise RuntimeError("too few samples to tell a rate")
