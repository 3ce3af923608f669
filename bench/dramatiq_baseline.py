"""The same job as an actor of Dramatiq, which publishes the event by pika with a confirm."""

import functools
import json
import os
import threading
import time
import uuid

import dramatiq
import pika
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from bench import python_job

QUEUE = os.environ.get("JOBS_QUEUE", "bench.dramatiq")


class QuorumBroker(RabbitmqBroker):
    """Takes its jobs from a quorum queue, which Dramatiq itself would not declare."""

    def _declare_queue(self, queue_name: str):
        return self.channel.queue_declare(queue_name, durable=True, arguments={"x-queue-type": "quorum"})


dramatiq.set_broker(QuorumBroker(url=os.environ.get("AMQP_URL", "amqp://"), confirm_delivery=True, middleware=[]))


class Connections(threading.local):
    """One connection of each sort for each thread, made when the thread first asks for it."""

    def __init__(self) -> None:
        self.database = python_job.connect()
        parameters = pika.URLParameters(os.environ["AMQP_URL"])
        # The thread answers no heartbeats while it works.
        parameters.heartbeat = 0
        self.channel = pika.BlockingConnection(parameters).channel()
        self.channel.confirm_delivery()


@functools.cache
def connections() -> Connections:
    return Connections()


@dramatiq.actor(actor_name="disk.create", queue_name=QUEUE)
def create(job: str, user_id: str, disk_name: str, size_gb: int) -> None:
    body = python_job.create_disk(connections().database, job, user_id, disk_name, size_gb)
    connections().channel.basic_publish(
        os.environ["EVENTS_EXCHANGE"], python_job.EVENT, body, pika.BasicProperties(**python_job.properties(job)))


def message(queue: str, number: int):
    """The message of one actor's call: exchange, routing key, body, properties."""
    arguments = {
        "job": str(uuid.uuid4()), "user_id": f"user-{number % 1000}", "disk_name": f"disk-{number}", "size_gb": 100}
    body = json.dumps({
        "queue_name": queue, "actor_name": "disk.create", "args": [], "kwargs": arguments, "options": {},
        "message_id": str(uuid.uuid4()), "message_timestamp": int(time.time() * 1000)}).encode()
    return "", queue, body, pika.BasicProperties(delivery_mode=2)
