"""RabbitMQ as a producer and an operator without our program would use it."""

import base64
import json
import os
import urllib.request
import uuid

import pika


def publish_malformed() -> str:
    """Publishes a job message whose body breaks off; returns its id."""
    job = str(uuid.uuid4())
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish(
        "gpudev.jobs", "disk.create", b'{"user_id": "alice", "disk_name": ',
        pika.BasicProperties(
            message_id=job, type="disk.create", content_type="application/json", delivery_mode=2),
        mandatory=True,
    )
    connection.close()
    return job


def consumers_of(queue: str) -> int:
    """How many consumers the management API counts on a queue."""
    request = urllib.request.Request(f"{os.environ['GPUDEV_TEST_RABBITMQ_API']}/api/queues/%2F/{queue}")
    request.add_header("Authorization", "Basic " + base64.b64encode(b"guest:guest").decode())
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=10) as response:
        return json.load(response).get("consumers", 0)
