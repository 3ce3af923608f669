"""What happens to a few disks in one world, drawn with a seed.

A step is a literal that can be printed, kept as an example and carried out again; one that makes no sense when its turn
comes is passed over.
"""

import dataclasses
import random

TASKS = (
    "create", "restore", "create-snapshot", "complete-snapshot", "release", "delete", "undelete", "prune", "prune-one",
    "reconcile-volume", "reconcile-all", "tear-down", "sweep")
ENDS = ("completed", "pending", "error", "none")
"""What becomes of the snapshot that a session of the platform ends with."""
HABITS = ("nothing", "count", "all")
"""What the platform writes of its snapshots into the row: nothing, their number, or all that the worker would."""
THEFTS = ("volume", "nobodys", "snapshot", "reservation", "disk")


@dataclasses.dataclass(frozen=True)
class Step:
    """What happens, to which disk, and how."""

    what: str
    disk: int = 0
    more: dict = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return f"step({self.what!r}, {self.disk}{''.join(f', {key}={value!r}' for key, value in self.more.items())})"


def step(what: str, disk: int = 0, /, **more) -> Step:
    return Step(what, disk, more)


def history(seed: int) -> list[Step]:
    draw = random.Random(seed)
    steps: list[Step] = []
    for disk in range(3):
        if disk == 0 or draw.random() < 0.5:
            steps += [session(disk, draw) for _ in range(draw.randint(0, 3))]
            if draw.random() < 0.5:
                steps.append(step("open", disk, zone=draw.randrange(2)))
    if draw.random() < 0.2:
        steps.append(step("misname"))
    return steps + [anything(draw) for _ in range(draw.randint(2, 9))]


def session(disk: int, draw: random.Random) -> Step:
    end = "completed" if draw.random() < 0.75 else draw.choice(ENDS)
    return step(
        "session", disk, zone=draw.randrange(2), snapshot=end, leaks=draw.random() < 1 / 3, row=draw.choice(HABITS))


def anything(draw: random.Random) -> Step:
    disk = 0 if draw.random() < 2 / 3 else draw.randrange(3)
    match draw.randrange(32):
        case 0: return session(disk, draw)
        case 1: return step("open", disk, zone=draw.randrange(2))
        case 2: return step("write", disk)
        case 3 | 4: return step("end", disk)
        case 5 | 6: return step("detach", disk)
        case 7: return step("vanish", disk, leaves_error=draw.random() < 0.5)
        case 8: return step("copy", disk)
        case 9: return step("lose_tag", disk, kind=draw.choice(("volume", "snapshot")), tag=draw.choice(("gpu-dev-user", "disk_name")))
        case 10: return step("mark", disk, days=draw.choice((-40, -1, 0, 1, 20)))
        case 11: return step("forget_row", disk)
        case 12: return step("resume", disk, place=draw.randrange(4))
        case 13: return step("advance", disk, minutes=draw.choice((1, 6, 11, 20, 70)))
        case 14: return step("advance", disk, days=draw.choice((1, 8, 31, 40)))
        case 15: return step("steal", disk, what=draw.choice(THEFTS), other=draw.randrange(1, 3))
        case 16: return step("misname", disk)
        case 17: return step("old_copy", disk, age=draw.choice((20, 80, 100, 200)), kept=draw.choice(("30", "90", "150")))
        case 18: return step("crowd", count=12)
        case 19: return step("blind_sweep", count=draw.choice((0, 3, 12)))
        case 20 | 21: return step("insist", minutes=draw.choice((1, 6, 11)))
        case _:
            task = draw.choice(TASKS)
            days = {"days": draw.choice((0, 1, 8, 30))} if task == "delete" else {}
            return step("job", disk, task=task, zone=draw.randrange(2), crash=crash(draw), **days)


def crash(draw: random.Random) -> str | None:
    """When the worker that does the job dies: after so many changes in AWS, or before it could write down what it did."""
    match draw.randrange(8):
        case 0: return "unrecorded"
        case 1: return f"after {draw.randint(1, 3)}"
        case _: return None


EXAMPLES = {
    "a volume that was left behind is not handed out before a later session's snapshot": [
        step("session", zone=0, snapshot="none", leaks=False, row="nothing"),
        step("session", zone=0, snapshot="completed", leaks=False, row="all"),
        step("job", task="restore", zone=0, crash=None)],
    "a session ends, its worker dies after the snapshot, and the disk is freed once": [
        step("open", zone=0), step("end"), step("detach"), step("job", task="tear-down", zone=0, crash="after 1"),
        step("resume", place=0), step("job", task="restore", zone=1, crash="unrecorded")],
    "what is another's is neither copied nor freed": [
        step("session", 1, zone=0, snapshot="completed", leaks=True, row="all"), step("open", 2, zone=0), step("open", zone=1),
        *(step("steal", 0, what=what, other=other) for what in THEFTS for other in (1, 2))],
}
