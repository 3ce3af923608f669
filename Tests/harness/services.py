"""The services of this run, as scripts/services starts and ends them."""

import os
import pathlib
import subprocess

from harness.machine import scaled
from harness.repository import ROOT


def services(*arguments: str) -> None:
    """Starts, stops or restarts one of the services that belong to this run."""
    subprocess.run([ROOT / "scripts/services", *arguments], check=True, timeout=scaled(150), stdout=subprocess.DEVNULL)


def evaluate(expression: str) -> None:
    """Has the broker evaluate an Erlang expression."""
    services("ctl", "eval", expression)


def broker_process() -> int:
    place = pathlib.Path(os.environ["GPUDEV_TEST_SERVICES_DIR"])
    return int((place / "rabbitmq.pid").read_text().split()[0])
