"""The system of an experiment, and the report of what they found."""

import dataclasses
import json

import pytest

from EndToEnd.experiments.report import RESULTS
from harness.experiment import Experiment


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "experiment(number, title): one of the table in docs/reliability.md")
    config.addinivalue_line("markers", "whole: takes too long for every day")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("whole") and not item.config.getoption("whole"):
        pytest.skip("only with --whole")


@pytest.fixture
def experiment(request, tmp_path, cloud):
    """A system with disks and volumes, nothing running yet; what its verdict says goes into the report."""
    seed = request.config.getoption("seed")
    experiment = Experiment(tmp_path, cloud, seed, request.config.getoption("whole"))
    judge, rows = experiment.verdict, []
    experiment.verdict = lambda *arguments, **more: rows.append(judge(*arguments, **more)) or rows[-1]
    yield experiment
    print(experiment.logs())
    experiment.close()
    number, title = request.node.get_closest_marker("experiment").args
    if rows and request.node.stash.get(PASSED, False):
        RESULTS.mkdir(parents=True, exist_ok=True)
        name = "".join(letter if letter.isalnum() else "-" for letter in request.node.nodeid)
        result = dataclasses.asdict(rows[-1]) | {
            "number": number, "title": title, "seed": seed, "note": experiment.note}
        (RESULTS / f"{name}.json").write_text(json.dumps(result))


PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    outcome = yield
    if call.when == "call":
        item.stash[PASSED] = outcome.get_result().passed
