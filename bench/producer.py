"""Puts jobs into a queue as fast as the broker confirms them."""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable

import pika

from harness.broker import broker_url, patient_parameters

WINDOW = 2000

Message = tuple[str, str, bytes, pika.BasicProperties]


def job(prefix: str, kind: str, payload: dict, identity: str | None = None) -> Message:
    """The message of one job: exchange, routing key, body, properties."""
    properties = pika.BasicProperties(
        message_id=identity or by_time(), type=kind, content_type="application/json", delivery_mode=2)
    return f"{prefix}.jobs", kind, json.dumps(payload).encode(), properties


def by_time() -> str:
    """An id in the order of time: a UUID of version 7 (RFC 9562, section 5.7)."""
    random = secrets.randbits(74)
    return str(uuid.UUID(int=time.time_ns() // 1_000_000 << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random % 2**62))


def disks(prefix: str, count: int, first: int = 0, identity: Callable[[], str] = by_time) -> Iterable[Message]:
    """Jobs that each create a disk of its own."""
    for number in range(first, first + count):
        payload = {"user_id": f"user-{number % 1000}", "disk_name": f"disk-{number}", "size_gb": 100}
        yield job(prefix, "disk.create", payload, identity())


class _Producer:
    """Publishes with a window of messages that are not confirmed yet."""

    def __init__(self, messages: Iterable[Message], check: Callable[[], None]) -> None:
        self.messages = iter(messages)
        self.check = check
        self.sent = self.confirmed = 0
        self.is_exhausted = False
        self.failure: str | None = None
        self.connection = pika.SelectConnection(
            patient_parameters(broker_url()), on_open_callback=self.opened, on_open_error_callback=self.closed,
            on_close_callback=self.closed)

    def opened(self, connection: pika.SelectConnection) -> None:
        connection.channel(on_open_callback=self.ready)

    def closed(self, connection: pika.SelectConnection, reason: Exception) -> None:
        connection.ioloop.stop()

    def ready(self, channel) -> None:
        self.channel = channel
        channel.confirm_delivery(self.answered, callback=lambda _: self.fill())

    def answered(self, frame) -> None:
        if not isinstance(frame.method, pika.spec.Basic.Ack):
            self.failure = "the broker refused a message"
            return self.connection.close()
        self.confirmed = frame.method.delivery_tag if frame.method.multiple else self.confirmed + 1
        if self.is_exhausted and self.confirmed == self.sent:
            return self.connection.close()
        if self.sent - self.confirmed <= WINDOW // 2:
            self.fill()

    def fill(self) -> None:
        self.check()
        while self.sent - self.confirmed < WINDOW:
            message = next(self.messages, None)
            if message is None:
                self.is_exhausted = True
                return
            exchange, key, body, properties = message
            self.channel.basic_publish(exchange, key, body, properties)
            self.sent += 1


def publish(messages: Iterable[Message], check: Callable[[], None] = lambda: None) -> int:
    """Publishes all messages and waits for the confirms; how many there were."""
    producer = _Producer(messages, check)
    producer.connection.ioloop.start()
    if producer.failure or producer.confirmed < producer.sent:
        raise RuntimeError(producer.failure or "the connection to the broker was lost")
    return producer.sent
