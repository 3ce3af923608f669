"""RabbitMQ as three nodes, beside the broker that stands alone."""

import contextlib
import os
from collections.abc import Iterator

from harness.services import services

NODES = ("rabbitmq-1", "rabbitmq-2", "rabbitmq-3")


def amqp_ports() -> list[int]:
    """Where the nodes take AMQP, in their order."""
    return _numbers("GPUDEV_TEST_CLUSTER_PORTS")


def api_ports() -> list[int]:
    """Where the nodes' management interfaces are, in their order."""
    return _numbers("GPUDEV_TEST_CLUSTER_API_PORTS")


def _numbers(variable: str) -> list[int]:
    return [int(number) for number in os.environ[variable].split(",")]


@contextlib.contextmanager
def three_nodes() -> Iterator[None]:
    """Three nodes that are gone afterwards."""
    services("start", *NODES)
    try:
        yield
    finally:
        services("discard", *NODES)
