"""What every test from outside needs, on the private services that ./dev test started."""

import os
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "scripts/demo"), str(Path(__file__).parent), str(Path(__file__).parent / "experiments")]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=1, help="what the experiments draw their jobs and faults with")
    parser.addoption("--minutes", type=float, help="how long the soak lasts")
    parser.addoption("--whole", action="store_true", help="experiments at their full length")


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
    admin_url = required("GPUDEV_TEST_DATABASE_URL")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        with psycopg.connect(admin_url, dbname=name, autocommit=True) as connection:
            for migration in sorted((ROOT / "schemas/sql").glob("*.sql")):
                connection.execute(migration.read_text())
            yield connection
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def cloud():
    """An AWS with a zone, a load balancer and an instance in it, and nothing else."""
    from cloud import Cloud

    reset = urllib.request.Request(required("GPUDEV_TEST_AWS_ENDPOINT") + "/moto-api/reset", method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(reset, timeout=10).close()
    return Cloud()


@pytest.fixture
def proxy():
    """A server between the worker and AWS that a test can make misbehave."""
    from aws_proxy import AWSProxy

    proxy = AWSProxy(required("GPUDEV_TEST_AWS_ENDPOINT"))
    yield proxy
    proxy.close()


@pytest.fixture
def aws(cloud):
    """An AWS that does what AWS does and what the test says, in front of the one that `cloud` is in."""
    from aws_peer import AWSPeer

    aws = AWSPeer(required("GPUDEV_TEST_AWS_ENDPOINT"))
    yield aws
    aws.close()


@pytest.fixture
def kubernetes(tmp_path):
    """A cluster with nothing in it; a worker gets `kubernetes.settings()`."""
    from kubernetes_server import KubernetesServer

    server = KubernetesServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def system(tmp_path, cloud, request):
    """A worker system with nothing running yet; the ends of the logs are shown when the test fails."""
    from system import System

    system = System(tmp_path, cloud.settings())
    yield system
    print(system.logs())
    system.close()


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
    from disks import Disks

    return Disks(on_aws, cloud)


@pytest.fixture
def cluster(system, kubernetes):
    """A cluster that the worker knows, with one node; jobs of other queues are left to lie."""
    system.environment |= kubernetes.settings() | {"WORKER_QUEUES": "reservations"}
    kubernetes.add_node("node-1")
    return kubernetes


@pytest.fixture
def orders(system):
    """The jobs that were enqueued so far, of all kinds or of some: kind, id and payload of each, once."""
    from system import Orders

    orders = Orders(system)
    yield orders
    orders.close()
