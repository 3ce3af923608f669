"""The same job done the usual way: a Celery task, psycopg, and kombu for the event.

The task runs the worker's own three inserts in one transaction and then publishes the event with a confirm. It leaves
the row in the outbox where it is: there is no relay to pay for. What dies between commit and publication is lost here,
which the worker does not allow itself.
"""

import json
import os
import uuid

import psycopg
from celery import Celery
from celery.signals import worker_process_init
from kombu import Exchange, Producer, Queue

NAME = os.environ.get("BENCH_NAME", "bench")
STATEMENTS: list[tuple[str, list]] = json.loads(os.environ.get("BENCH_STATEMENTS", "[]"))

app = Celery("bench.celery_baseline", broker=os.environ.get("BENCH_BROKER", "amqp://"))
exchange = Exchange(f"{NAME}.celery", durable=True)
app.conf.update(
    task_queues=[Queue(f"{NAME}.celery", exchange, "celery", durable=True, queue_arguments={"x-queue-type": "quorum"})],
    task_default_queue=f"{NAME}.celery", task_default_exchange=exchange.name, task_default_routing_key="celery",
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
    database = psycopg.connect(os.environ["BENCH_DATABASE"], cursor_factory=psycopg.RawCursor, prepare_threshold=1)
    producer = app.connection_for_write().Producer(exchange=Exchange(f"{NAME}.events", "topic", no_declare=True))


@app.task(name="disk.create")
def create(user_id: str, disk_name: str, size_gb: int) -> None:
    job = create.request.id
    named = {"@job": job, "@user": user_id, "@disk": disk_name, "@size": size_gb, "@event": f"{job}.completed"}
    body = json.dumps({
        "specversion": "1.0", "id": f"{job}.completed", "source": "/celery", "type": "disk.create.completed",
        "subject": f"disk/{user_id}/{disk_name}", "datacontenttype": "application/json", "jobid": job,
        "time": "2026-01-01T00:00:00Z",
        "data": {"disk_id": job, "user_id": user_id, "disk_name": disk_name, "size_gb": size_gb}}).encode()
    named["@body"] = body
    with database.transaction(), database.cursor() as cursor:
        for text, values in STATEMENTS:
            cursor.execute(text, [named.get(value, value) for value in values])
    producer.publish(
        body, routing_key="disk.create.completed", message_id=f"{job}.completed", type="disk.create.completed",
        content_type="application/cloudevents+json", content_encoding="utf-8", delivery_mode=2)


def message(name: str, number: int):
    """The message of one task in Celery's protocol 2: exchange, routing key, body, properties."""
    import pika

    job = str(uuid.uuid4())
    arguments = {"user_id": f"user-{number % 1000}", "disk_name": f"disk-{number}", "size_gb": 100}
    body = json.dumps([[], arguments, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()
    properties = pika.BasicProperties(
        correlation_id=job, content_type="application/json", content_encoding="utf-8", delivery_mode=2,
        headers={"lang": "py", "task": "disk.create", "id": job, "root_id": job, "retries": 0})
    return f"{name}.celery", "celery", body, properties
