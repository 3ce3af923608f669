"""The jobs that a worker system enqueues, seen beside its workers."""

import json

from harness.waiting import eventually
from harness.worker_system import WorkerSystem


class EnqueuedJobs:
    """A queue that gets every job's message beside the workers."""

    def __init__(self, system: WorkerSystem) -> None:
        self._system = system
        self._queue = f"{system.prefix}.enqueued"
        self._seen: dict[str, tuple[str, str, dict]] = {}
        system.channel.queue_declare(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
        system.channel.queue_bind(self._queue, f"{system.prefix}.jobs", "#")

    def __call__(self, *kinds: str) -> list[tuple[str, str, dict]]:
        """Waits until the outbox has nothing more to send."""
        due = "SELECT FROM outbox WHERE destination = 'jobs' AND available_at <= now()"
        eventually("the outbox is empty", lambda: not self._system.rows(due))
        while True:
            method, properties, body = self._system.channel.basic_get(self._queue, auto_ack=True)
            if not method:
                return [job for job in self._seen.values() if not kinds or job[0] in kinds]
            self._seen.setdefault(properties.message_id, (properties.type, properties.message_id, json.loads(body)))

    def close(self) -> None:
        self._system.channel.queue_delete(self._queue)
