"""Part 2: how long one job takes when there is time for all: 200 a second, from publish to event."""

import random
import time
import uuid

import pika

from bench.figures import Figure, Row, number
from bench.options import Options, say
from bench.producer import job
from bench.site import Site, site
from bench.statements import pgbench, recorded
from harness.broker import broker_url, patient_parameters
from harness.waiting import eventually

RATE = 200
WARM_UP = 200


class _Load:
    """Publishes at a steady rate and takes the events, on one thread and one clock."""

    def __init__(self, place: Site, count: int) -> None:
        self.place = place
        self.count = count
        self.sent: dict[str, float] = {}
        self.latencies: dict[str, float] = {}
        self.lateness: list[float] = []
        self.connection = pika.SelectConnection(
            patient_parameters(broker_url()), on_open_callback=self.opened, on_close_callback=self.closed)

    def opened(self, connection: pika.SelectConnection) -> None:
        connection.channel(on_open_callback=self.ready)

    def closed(self, connection: pika.SelectConnection, reason: Exception) -> None:
        connection.ioloop.stop()

    def ready(self, channel) -> None:
        self.channel = channel
        channel.confirm_delivery(lambda frame: None)
        channel.basic_consume(self.place.event_queue, self.arrived, auto_ack=True)
        self.start = time.monotonic()
        self.deadline = self.start + self.count / RATE + 30
        self.tick()

    def tick(self) -> None:
        """Publishes what is due, each at a random moment of its own slot: in step with nobody's timer."""
        now = time.monotonic()
        while len(self.sent) < self.count and (due := self.due(len(self.sent))) <= now:
            identity = str(uuid.uuid4())
            payload = {"user_id": "alice", "disk_name": f"disk-{identity}", "size_gb": 100}
            exchange, key, body, properties = job(self.place.name, "disk.create", payload, identity)
            self.lateness.append(now - due)
            self.sent[identity] = time.monotonic()
            self.channel.basic_publish(exchange, key, body, properties)
        if now > self.deadline:
            self.connection.close()
        elif len(self.sent) < self.count:
            self.connection.ioloop.call_later(max(0.0, self.due(len(self.sent)) - time.monotonic()), self.tick)

    def due(self, position: int) -> float:
        return self.start + (position + random.Random(position).random()) / RATE

    def arrived(self, _channel, _method, properties, _body) -> None:
        identity = properties.message_id.partition(".")[0]
        self.latencies.setdefault(identity, time.monotonic() - self.sent[identity])
        if len(self.latencies) == self.count:
            self.connection.close()


def measure(options: Options) -> list[Row]:
    statements = recorded()
    seconds = 8 if options.rounds > 1 else 5
    transactions: list[float] = []
    rounds: list[list[float]] = []
    late: list[float] = []
    for position in range(options.rounds):
        say(f"latency, round {position + 1} of {options.rounds}")
        transactions.append(pgbench(statements, 1, 1, 3).latency)
        with site() as place:
            place.start()
            eventually("the worker consumes", lambda: place.consumers(f"{place.name}.disks") == 1)
            values, lateness = latencies(place, WARM_UP + RATE * seconds)
            rounds.append(values)
            late += lateness
    return _rows(transactions, rounds, late)


def latencies(place: Site, count: int) -> tuple[list[float], list[float]]:
    """How long each of so many jobs took after the warming up, in milliseconds, and how late each was sent, in seconds."""
    load = _Load(place, count)
    load.connection.ioloop.start()
    if len(load.latencies) < count:
        raise RuntimeError(f"only {len(load.latencies)} of {count} events arrived")
    return [load.latencies[identity] * 1000 for identity in list(load.sent)[WARM_UP:]], load.lateness[WARM_UP:]


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _rows(transactions: list[float], rounds: list[list[float]], late: list[float]) -> list[Row]:
    everything = [value for values in rounds for value in values]
    limit = Figure.of(transactions)
    p50 = Figure.of([quantile(values, 0.5) for values in rounds])
    ratio = Figure.of([quantile(values, 0.5) / transaction for values, transaction in zip(rounds, transactions)])
    worst = max(everything)
    tail = {f"p{share * 100:g}": quantile(everything, share) for share in (0.5, 0.9, 0.99, 0.999)}
    tail |= {"max": worst, "jobs": len(everything), "p99_lateness_of_load": quantile(late, 0.99) * 1000}
    marks = "✓" if ratio.median <= 5 else "✗", "✓" if worst <= 250 else "✗"
    target = f"{marks[0]} p50 ≤ 5 × limit, {marks[1]} max ≤ 250 ms"
    met = ratio.median <= 5 and worst <= 250
    text = ", ".join(f"{name} {number(tail[name])}" for name in ("p99", "p99.9", "max"))
    return [
        Row("latency", "the transaction alone",
            "pgbench, one client, one round trip, the mean: the least that a job can take", "ms", limit),
        Row("latency", "median job", f"{RATE} jobs/s, from publish to event in the subscriber's hands; {text} ms", "ms",
            p50, ratio, "× the transaction", target=target, is_met=met, more=tail),
    ]
