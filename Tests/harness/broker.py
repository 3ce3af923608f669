"""RabbitMQ as a producer, a subscriber and an operator see it."""

import base64
import contextlib
import json
import os
import urllib.request

import pika

from harness.machine import scaled
from harness.network.loopback import open_url

FAMILIES = ("disks", "reservations", "capacity")
BROKER_FAULTS = (pika.exceptions.AMQPError, OSError)
"""What a connection may end with."""


def broker_url() -> str:
    return os.environ["GPUDEV_TEST_AMQP_URL"]


def patient_parameters(url: str) -> pika.URLParameters:
    """For a connection whose owner may look away for longer than a heartbeat."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0
    return parameters


def management(path: str, method: str = "GET", body: dict | None = None):
    """Asks the management interface, or tells it to do something."""
    request = urllib.request.Request(
        f"{os.environ['GPUDEV_TEST_RABBITMQ_API']}/api/{path}", json.dumps(body).encode() if body else None,
        {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode(), "Content-Type": "application/json"},
        method=method)
    with open_url(request, timeout=scaled(10)) as answer:
        return json.loads(answer.read() or b"null")


def messages_in(channel: pika.adapters.blocking_connection.BlockingChannel, queue: str) -> int:
    """How many messages are ready in a queue."""
    return channel.queue_declare(queue, passive=True).method.message_count


def consumers_of(channel: pika.adapters.blocking_connection.BlockingChannel, queue: str) -> int:
    return channel.queue_declare(queue, passive=True).method.consumer_count


def delete_topology(channel: pika.adapters.blocking_connection.BlockingChannel, prefix: str) -> None:
    """Deletes the queues and exchanges that `topology declare` has made under a prefix."""
    for family in FAMILIES:
        channel.queue_delete(f"{prefix}.{family}")
        channel.queue_delete(f"{prefix}.{family}.dead")
    for exchange in ("jobs", "events", "dead"):
        channel.exchange_delete(f"{prefix}.{exchange}")
    # A node that was killed several times may have lost hold of a stream; it is discarded with it.
    with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
        channel.queue_delete(f"{prefix}.events.log")
