"""The events of a worker system, as a subscriber gets them."""

import collections
import contextlib
import json
import threading
import time

import pika

from harness.broker import BROKER_FAULTS
from harness.machine import scaled


class EventFeed:
    """Takes every event off a queue of its own, through restarts of the broker, and notes when it came."""

    def __init__(self, url: str, queue: str) -> None:
        self._parameters = pika.URLParameters(url)
        self._queue = queue
        self._ended = threading.Event()
        self.counts: collections.Counter[str] = collections.Counter()
        self.bodies: dict[str, dict] = {}
        self.times: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(*BROKER_FAULTS), contextlib.closing(
                    pika.BlockingConnection(self._parameters)) as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=200)
                for method, _, body in channel.consume(self._queue, inactivity_timeout=0.2):
                    if method:
                        self._take(json.loads(body), method.redelivered)
                        channel.basic_ack(method.delivery_tag)
                    if self._ended.is_set():
                        return
            self._ended.wait(0.3)

    def _take(self, event: dict, is_redelivered: bool) -> None:
        # What the broker hands out again because this feed did not acknowledge it was published once.
        if is_redelivered and event["id"] in self.bodies:
            return
        self.bodies.setdefault(event["id"], event)
        self.times.setdefault(event["jobid"], time.monotonic())
        self.counts[event["id"]] += 1

    def close(self) -> None:
        self._ended.set()
        self._thread.join(scaled(10))
