"""The job `disk.create` in Python, for the workers of Celery and Dramatiq: psycopg, prepared statements, one transaction.

It leaves the row in the outbox where it is: there is no relay to pay for. The event is published after the commit, and
what dies in between is lost here, which the worker does not allow itself.
"""

import json
import os

import psycopg

EVENT = "disk.create.completed"


def connect() -> psycopg.Connection:
    """A connection that prepares each statement when it comes a second time."""
    return psycopg.connect(os.environ["DATABASE_URL"], cursor_factory=psycopg.RawCursor, prepare_threshold=1)


def create_disk(database: psycopg.Connection, job: str, user_id: str, disk_name: str, size_gb: int) -> bytes:
    """Commits the job's three rows and returns the body of its event."""
    body = json.dumps({
        "specversion": "1.0", "id": f"{job}.completed", "source": "/python", "type": EVENT,
        "subject": f"disk/{user_id}/{disk_name}", "datacontenttype": "application/json", "jobid": job,
        "time": "2026-01-01T00:00:00Z",
        "data": {"disk_id": job, "user_id": user_id, "disk_name": disk_name, "size_gb": size_gb}}).encode()
    with database.transaction(), database.cursor() as cursor:
        cursor.execute(os.environ["LEDGER_SQL"], [job])
        cursor.execute(os.environ["DISK_SQL"], [job, user_id, disk_name, size_gb])
        cursor.execute(os.environ["OUTBOX_SQL"], [job, body])
    return body


def properties(job: str) -> dict[str, str | int]:
    """Of the event's message, as kombu and pika name them."""
    return {
        "message_id": f"{job}.completed", "type": EVENT, "content_type": "application/cloudevents+json",
        "content_encoding": "utf-8", "delivery_mode": 2}
