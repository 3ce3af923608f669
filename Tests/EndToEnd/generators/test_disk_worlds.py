"""Worlds of disks, the whole way: jobs by RabbitMQ to a real worker, with PostgreSQL and an AWS that keeps the things.

The rules are those of the worlds in Swift: what is handed out is the newest version that can be known of, or nothing is;
none goes of which there is no newer complete one; nothing of another's or of nobody's is read, changed or deleted; and
what was left behind is found.
"""

import os
import time

import pytest

from EndToEnd.generators.disk_cloud import DiskCloud
from EndToEnd.generators.disk_histories import EXAMPLES, Step, history
from EndToEnd.generators.disk_world import Broken, DiskWorld

SECONDS = 40
"""For worlds that nobody asked for."""


@pytest.fixture
def world(system, cloud, kubernetes):
    aws = DiskCloud(os.environ["GPUDEV_TEST_AWS_ENDPOINT"])
    world = DiskWorld(system, aws, cloud, kubernetes)
    yield world
    world.close()
    aws.close()


def violation(world: DiskWorld, steps: list[Step], seed: int) -> str | None:
    try:
        world.live(steps, seed)
    except Broken as broken:
        return f"{broken}\n  " + "\n  ".join(world.told)
    return None


def reduced(world: DiskWorld, steps: list[Step], seed: int, told: str) -> tuple[list[Step], str]:
    """As few steps as break the same rule."""
    rule, place = told.partition(":")[0], 0
    while place < len(steps):
        fewer = steps[:place] + steps[place + 1:]
        again = violation(world, fewer, seed)
        if again and again.partition(":")[0] == rule:
            steps, told = fewer, again
        else:
            place += 1
    return steps, told


def test_no_world_of_disks_breaks_a_rule(request, world):
    """Also with --worlds, for as many as one likes."""
    seed, worlds = request.config.getoption("seed"), request.config.getoption("worlds")
    for what, steps in EXAMPLES.items():
        told = violation(world, steps, seed)
        assert told is None, f"{what}: {told}"
    ends, count, steps_taken = time.monotonic() + SECONDS, 0, 0
    while count < worlds if worlds else time.monotonic() < ends:
        number = seed * 1000 + count
        steps = history(number)
        if told := violation(world, steps, number):
            steps, told = reduced(world, steps, number, told)
            pytest.fail(f"world {number}: {told}\nas few steps as break the rule:\n  " + "\n  ".join(map(str, steps)))
        count, steps_taken = count + 1, steps_taken + len(steps)
    print(f"worlds of disks, the whole way: seed {seed}, {count} worlds, {steps_taken} steps")
