"""RabbitMQ as a producer without our program would use it."""

import os
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
