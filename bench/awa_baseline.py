"""awa, whose queue is in PostgreSQL: another job, which has no broker, no event and no rows of its own.

Run as a program it works off so many jobs, and prints how many are done, over and over.
"""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass

from bench.job_costs import CostMeter
from bench.resource_usage import Run, peak_memory, steady, watch
from bench.site import site
from harness.repository import ROOT

MEANING = (
    "awa from PyPI: its own queue in PostgreSQL and a handler in Python that does nothing; no broker, no event, no rows,"
    " so no measure of the job")
QUEUE, HANDLERS, CONNECTIONS = "disks", 64, 16
PATIENCE = 60


@dataclass
class CreateDisk:
    """The payload of a job."""

    user_id: str
    disk_name: str
    size_gb: int


def run(jobs: int) -> tuple[Run, dict[str, float]]:
    """A queue full of jobs, then the worker, until the last is done; in the tables that awa's own migration makes.

    In its other storage (`install_queue_storage`), awa 0.6.9 left some of 15,000 jobs lying for longer than a minute.
    """
    with site() as place:
        command = [sys.executable, "-m", "bench.awa_baseline"]
        environment = place.guest_environment(QUEUE) | {"PYTHONPATH": f"{ROOT}:{ROOT}/Tests"}
        subprocess.run([*command, "enqueue", str(jobs)], env=environment, check=True, timeout=120)
        meter = CostMeter(place)
        worker = place.launch([*command, "work", str(jobs)], environment)

        def done() -> int:
            place.check()
            lines = place.log().split()
            return int(lines[-1]) if lines else 0

        samples = watch(done, jobs, [worker.pid], PATIENCE)
        return steady(samples, peak_memory([worker.pid])), meter.stop(jobs)


async def enqueue(client, jobs: int) -> None:
    await client.migrate()
    payloads = [CreateDisk(f"user-{number % 1000}", f"disk-{number}", 100) for number in range(jobs)]
    await client.insert_many_copy(payloads, queue=QUEUE)


async def work(client, jobs: int) -> None:
    handled = 0

    @client.task(CreateDisk, queue=QUEUE)
    async def create(_job) -> None:
        nonlocal handled
        handled += 1

    await client.start([(QUEUE, HANDLERS)])
    while handled < jobs or any(stat.total_queued for stat in await client.queue_stats()):
        # The last counts only when the queue knows that it is done.
        print(min(handled, jobs - 1), flush=True)
        await asyncio.sleep(0.05)
    print(handled, flush=True)
    await asyncio.Event().wait()


async def main(action: str, jobs: int) -> None:
    from awa import AsyncClient

    client = AsyncClient(os.environ["DATABASE_URL"], max_connections=CONNECTIONS)
    await {"enqueue": enqueue, "work": work}[action](client, jobs)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
