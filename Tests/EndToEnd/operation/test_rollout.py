"""Upgrades, scaling and drained nodes under load, with the probes that the manifest asks: nobody notices."""

import pytest

from harness.experiment import Experiment
from harness.kubernetes.kubelet import Deployment
from harness.waiting import eventually

NEW_KIND = "disk.reconcile-volume"
OLD = {"GPUDEV_OLDER_THAN": NEW_KIND}
SHARES = {"disk.create": 70, "disk.create-snapshot": 10, "reservation.map-dns": 5, NEW_KIND: 15}
PER_SECOND = 40


@pytest.fixture
def experiment(tmp_path, cloud):
    experiment = Experiment(tmp_path, cloud, seed=1, is_whole=False)
    experiment.environment["WORKER_UNKNOWN_KIND_WAIT"] = "5m"
    yield experiment
    print(experiment.logs())
    experiment.close()


@pytest.fixture
def deploy(experiment):
    """Makes a Deployment of so many pods; all are gone before the experiment is."""
    made = []

    def deploy(count: int, **template: str) -> Deployment:
        made.append(Deployment(experiment.start_doomed, count, **template))
        return made[-1]

    yield deploy
    for deployment in made:
        deployment.close()


def load_during(experiment, seconds: float):
    return experiment.submitting(experiment.load.draw(int(PER_SECOND * seconds), SHARES), per_second=PER_SECOND)


def check(experiment, deployment: Deployment) -> None:
    """Every job has succeeded, once and at its first try, and no pod was started again."""
    eventually("nothing waits in the queues", lambda: experiment.waiting() == 0)
    experiment.hasten()
    row = experiment.verdict()
    assert (row.succeeded, row.dead, row.repeats) == (row.acknowledged, 0, 0)
    assert experiment.count("job_ledger WHERE attempts <> 1") == 0
    assert experiment.count("job_attempts") == 0
    assert {pod.name: pod.restarts for pod in deployment.pods if pod.restarts} == {}
    assert {pod.exit_code for pod in deployment.pods if pod.is_leaving} == {0}


def test_an_upgrade_with_a_new_kind_goes_forth_and_back_and_forth(experiment, deploy):
    deployment = deploy(2, **OLD)
    with load_during(experiment, 9):
        for template in ({}, OLD, {}):
            deployment.roll(**template)
    check(experiment, deployment)
    assert len(deployment.pods) == 8
    assert experiment.count("job_ledger WHERE snoozes > 0 AND kind = %s", NEW_KIND) > 0, "no old replica met the new kind"
    assert experiment.count("job_ledger WHERE snoozes > 0 AND kind <> %s", NEW_KIND) == 0


def test_scaling_out_and_in_loses_and_repeats_nothing(experiment, deploy):
    deployment = deploy(1)
    with load_during(experiment, 6):
        for count in (4, 1):
            deployment.scale(count)
    check(experiment, deployment)


def test_a_node_that_is_drained_leaves_its_jobs_to_the_others(experiment, deploy):
    deployment = deploy(4)
    with load_during(experiment, 5):
        deployment.drain("a")
    check(experiment, deployment)
    assert {pod.node for pod in deployment.staying} == {"b"}
