"""What every test from outside needs, on the private services that ./dev test started."""

import os
import subprocess
import urllib.request
import uuid

import psycopg
import pytest

from harness.aws.cloud import Cloud
from harness.aws.peer import AWSPeer
from harness.aws.proxy import AWSProxy
from harness.database import MIGRATIONS, create_database, database_url, drop_database, migrate
from harness.disks import Disks
from harness.enqueued_jobs import EnqueuedJobs
from harness.kubernetes.server import KubernetesServer
from harness.machine import scaled, slowness
from harness.network.fault_proxy import FaultProxy
from harness.network.loopback import open_url
from harness.repository import ROOT
from harness.worker_system import WorkerSystem


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="what the experiments draw their jobs and faults with")
    parser.addoption("--minutes", type=float, help="how long the soak lasts")
    parser.addoption("--worlds", type=int, help="how many worlds of disks; for some time if none")
    parser.addoption("--whole", action="store_true", help="experiments at their full length")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Measures the machine once, for all lanes; each test's bound is a wait like any other."""
    slowness()
    if not hasattr(config, "workerinput") and (bound := config.getoption("timeout", None)):
        config.option.timeout = scaled(bound)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("timeout"):
            item.add_marker(pytest.mark.timeout(scaled(marker.args[0])), append=False)
            break


def pytest_report_header() -> str:
    return f"machine: waits are multiplied by {slowness():.1f}"


@pytest.fixture(scope="session", autouse=True)
def services():
    """The services of this process: with several at once, each has a set of its own."""
    lane = os.environ.get("PYTEST_XDIST_WORKER")
    if lane:
        up = subprocess.run([ROOT / "scripts/services", "up", lane], check=True, capture_output=True, text=True)
        lines = (line.removeprefix("export ").partition("=") for line in up.stdout.splitlines())
        os.environ |= {name: value for name, _, value in lines if name.startswith("GPUDEV_TEST_")}
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_ENDPOINT_URL": required("GPUDEV_TEST_AWS_ENDPOINT"), "NO_PROXY": "127.0.0.1",
    }
    yield
    if lane:
        subprocess.run([ROOT / "scripts/services", "down", lane], check=True)


def required(variable: str) -> str:
    value = os.environ.get(variable)
    assert value, f"{variable} is not set: run the tests with ./dev test"
    return value


@pytest.fixture
def database():
    """A connection to a database of its own, with the worker's tables in it."""
    server = required("GPUDEV_TEST_DATABASE_URL")
    name = f"test_{uuid.uuid4().hex}"
    create_database(name, server)
    with psycopg.connect(database_url(name, server), autocommit=True) as connection:
        migrate(connection, MIGRATIONS)
        yield connection
    drop_database(name, server)


@pytest.fixture
def cloud():
    """An AWS with a zone, a load balancer and an instance in it, and nothing else."""
    reset = urllib.request.Request(required("GPUDEV_TEST_AWS_ENDPOINT") + "/moto-api/reset", method="POST")
    open_url(reset, timeout=scaled(10)).close()
    return Cloud()


@pytest.fixture
def proxy():
    """A server between the worker and AWS that a test can make misbehave."""
    proxy = AWSProxy(required("GPUDEV_TEST_AWS_ENDPOINT"))
    yield proxy
    proxy.close()


@pytest.fixture
def aws(cloud):
    """An AWS that does what AWS does and what the test says, in front of the one that `cloud` is in."""
    aws = AWSPeer(required("GPUDEV_TEST_AWS_ENDPOINT"))
    yield aws
    aws.close()


@pytest.fixture
def kubernetes(tmp_path):
    """A cluster with nothing in it; a worker gets `kubernetes.settings()`."""
    server = KubernetesServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def system(tmp_path, cloud, request):
    """A worker system with nothing running yet; the ends of the logs are shown when the test fails."""
    system = WorkerSystem(tmp_path, cloud.settings())
    yield system
    print(system.logs())
    system.close()


@pytest.fixture
def proxy_before(system):
    """Puts a proxy in front of the service that a setting names, for the workers that start from now on."""
    proxies = []

    def before(setting: str):
        proxies.append(FaultProxy.before(system.environment[setting]))
        system.environment[setting] = proxies[-1].url
        return proxies[-1]

    yield before
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def proxied(system, proxy):
    """The same, with the proxy in front of AWS."""
    system.environment["AWS_ENDPOINT_URL"] = proxy.url
    return system


@pytest.fixture
def on_aws(system, aws):
    """The same, with `aws` as its AWS."""
    system.environment["AWS_ENDPOINT_URL"] = aws.url
    return system


@pytest.fixture
def disks(on_aws, cloud):
    """The disks of a system on `aws`."""
    return Disks(on_aws, cloud)


@pytest.fixture
def cluster(system, cloud, kubernetes):
    """A cluster that the worker knows, with one node; jobs of other queues are left to lie."""
    system.environment |= kubernetes.settings() | {"WORKER_QUEUES": "reservations"}
    kubernetes.add_node("node-1", instance=cloud.instance)
    return kubernetes


@pytest.fixture
def enqueued(system):
    """The jobs that were enqueued so far, of all kinds or of some: kind, id and payload of each, once."""
    enqueued = EnqueuedJobs(system)
    yield enqueued
    enqueued.close()
