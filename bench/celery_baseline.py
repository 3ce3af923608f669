"""The same job done the usual way: a Celery task, psycopg, and kombu for the event, which it publishes with a confirm."""

import json
import os
import uuid

import psycopg
from celery import Celery
from celery.signals import worker_process_init
from kombu import Exchange, Producer, Queue

from bench import python_job

QUEUE = os.environ.get("JOBS_QUEUE", "bench.celery")

app = Celery("bench.celery_baseline", broker=os.environ.get("AMQP_URL", "amqp://"))
exchange = Exchange(QUEUE, durable=True)
app.conf.update(
    task_queues=[Queue(QUEUE, exchange, "celery", durable=True, queue_arguments={"x-queue-type": "quorum"})],
    task_default_queue=QUEUE, task_default_exchange=exchange.name, task_default_routing_key="celery",
    task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=16, worker_detect_quorum_queues=True,
    broker_transport_options={"confirm_publish": True}, worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)

database: psycopg.Connection
producer: Producer


@worker_process_init.connect
def connect(**_) -> None:
    """One connection of each sort for each process."""
    global database, producer
    database = python_job.connect()
    events = Exchange(os.environ["EVENTS_EXCHANGE"], "topic", no_declare=True)
    producer = app.connection_for_write().Producer(exchange=events)


@app.task(name="disk.create")
def create(user_id: str, disk_name: str, size_gb: int) -> None:
    job = create.request.id
    body = python_job.create_disk(database, job, user_id, disk_name, size_gb)
    producer.publish(body, routing_key=python_job.EVENT, **python_job.properties(job))


def message(queue: str, number: int):
    """The message of one task in Celery's protocol 2: exchange, routing key, body, properties."""
    import pika

    job = str(uuid.uuid4())
    arguments = {"user_id": f"user-{number % 1000}", "disk_name": f"disk-{number}", "size_gb": 100}
    body = json.dumps([[], arguments, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()
    properties = pika.BasicProperties(
        correlation_id=job, content_type="application/json", content_encoding="utf-8", delivery_mode=2,
        headers={"lang": "py", "task": "disk.create", "id": job, "root_id": job, "retries": 0})
    return "", queue, body, properties
