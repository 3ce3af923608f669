"""What nobody sane would send or store, drawn with a seed: rows that the schema admits, messages, and clocks.

A step is a literal that can be printed, kept as an example and carried out again.
"""

import dataclasses
import datetime
import random
import re
import uuid

import pika
import psycopg
from psycopg.types.json import Jsonb

TABLES = ("outbox", "job_schedules", "job_ledger", "workers")
KINDS = (
    "disk.create", "disk.create-snapshot", "disk.delete", "reservation.map-dns", "capacity.refresh", "disk.polish",
    "reservation", "disk.", ".", "", "DISK.CREATE", "disk.create\n", "*", "#", "disk." + "x" * 230, "ädisk.ö")
TIMES = (
    "-infinity", "infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59+00", "0001-01-01", "1970-01-01",
    "2000-01-01", "2038-01-19 03:14:08Z", "now", "tomorrow", "9999-12-31 23:59:59Z")
INTERVALS = (
    "1 second", "1 minute", "178000000 years", "-1 day", "0", "9223372036 seconds", "1 mon -1 day", "100000 years")
NUMBERS = (0, 1, -1, 2, 255, 2**15, 2**31 - 1, -2**31, 2**32, 2**53 + 1, 2**63 - 1, -2**63)
TEXTS = (
    "", " ", "x" * 70_000, "\x01\x1b[31mred\x1b[0m", "ä" * 300, "\u202egnp.exe", "\U0001f4a9", "'; DROP TABLE disks; --",
    "\\", "%s%n", "null", "../../etc", "\r\nX: y", "a\tb", "\ufeff", "application/xml", "\ud7ff\ue000")
DOCUMENTS = (
    None, True, 0, -1, 1e308, 2**70, "", "text", [], {}, [[]], [None], [["x"]], [["x-turn", "S", "many"]], {"a": {"b": []}},
    [["x-turn", "I", -1]], [["x-replay-count", "l", 2**63 - 1]], [["x-replay-count", "l", 2**70]], [["", "V", None]],
    [["k" * 300, "S", "long name"]], [["a", "?", 1]], [["a", "F", [["b", "F", [["c", "A", [1, "x"]]]]]]], [["a", "A", 7]],
    [["x-outbox-id", "S", "7"]], [["a", "T", -(2**62)]], [["a", "t", "yes"]], [["a", "S", "v" * 200_000]], [[1, 2, 3]],
    {"delivery_mode": 9}, {"priority": 300}, {"expiration": "soon"}, {"timestamp": -1}, {"user_id": "nobody"},
    {"reply_to": "r" * 300}, {"user_id": "alice", "disk_name": "odd"})
BODIES = (
    b"", b"{}", b"[]", b"null", b"\x00", b"\xff\xfe", b"{" * 10_000, b'{"user_id":"alice","disk_name":"odd"}',
    b'{"user_id":"alice"', b"1e999", b'"' + b"x" * 100_000 + b'"', b'{"user_id":null}', b'{"volume_id":"vol-1"}')
HEADERS = (
    "x-turn", "x-replay-count", "x-outbox-id", "x-dead-reason", "x-dead-code", "x-dead-error", "x-dead-attempts",
    "x-dead-at", "x-original-exchange", "x-original-routing-key", "x-requested-by", "traceparent", "x-death",
    "x-delivery-count", "x-replayed-at", "CC", "", "k" * 200)
VALUES = (
    None, True, 0, -1, 7, 2**31 - 1, 2**63 - 1, -(2**63), "", "7", "-1", "many", "x" * 50_000, b"\x00\xff",
    datetime.datetime(1970, 1, 1), [], [1, "x", None], {}, {"a": {"b": [1]}}, "00-" + "f" * 32 + "-" + "0" * 16 + "-01")
CLOCKS = ("+0", "+1d", "-1d", "+400d", "-400d", "+1h", "-5m", "+30s", "+20y", "-20y")


@dataclasses.dataclass(frozen=True)
class Row:
    """A row put into one of the worker's tables; columns that are not named have their defaults."""

    table: str
    columns: dict

    def __str__(self) -> str:
        return f"Row({self.table!r}, {shortened(self.columns)})"


@dataclasses.dataclass(frozen=True)
class Message:
    """A message published to an exchange, by its name without prefix; the default one is empty."""

    exchange: str
    routing_key: str
    properties: dict
    body: bytes

    def __str__(self) -> str:
        return f"Message({self.exchange!r}, {self.routing_key!r}, {shortened(self.properties)}, {shortened(self.body)})"


@dataclasses.dataclass(frozen=True)
class Clock:
    """The offset of one replica's wall clock, as libfaketime takes it."""

    offset: str


def shortened(value: object) -> str:
    return re.sub(r"(.)\1{40,}", lambda run: f"{run[1] * 3}…{len(run[0])}…", repr(value))


class Generator:
    """Draws steps; knows the tables' columns and constraints from the catalog of the database itself."""

    def __init__(self, seed: int, system) -> None:
        self.random = random.Random(seed)
        self._tables = {table: columns for table in TABLES if (columns := self._columns(system, table))}
        self._queues = [
            f"{family}{ending}" for family in ("disks", "reservations", "capacity") for ending in ("", ".dead")]

    @staticmethod
    def _columns(system, table: str) -> dict[str, tuple[str, bool, list[str]]]:
        """Type, whether it may be null, and the words that its constraints name, of each column that may be written."""
        checks = [text for text, in system.rows(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'c'", table)]
        columns = {}
        for name, kind, nullable in system.rows(
                "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns"
                " WHERE table_schema = current_schema() AND table_name = %s AND is_identity = 'NO'"
                " AND is_generated = 'NEVER' ORDER BY ordinal_position", table):
            mentions = [check for check in checks if re.search(rf"\b{name}\b", check)]
            words = [word for check in mentions for word in re.findall(r"'([^']*)'::text", check)]
            columns[name] = (kind, nullable, words)
        return columns

    def steps(self, count: int) -> list:
        return [self._step() for _ in range(count)]

    def _step(self):
        sort = self.random.choices(("row", "message", "clock"), (12, 12, 1))[0]
        return {"row": self._row, "message": self._message, "clock": lambda: Clock(self.random.choice(CLOCKS))}[sort]()

    def _row(self) -> Row:
        """Columns that make a sensible row, of which one to three have a value that is only possible."""
        table = self.random.choice(list(self._tables))
        columns = self._tables[table]
        sensible = {name: self._sensible(table, name, words) for name, (_, nullable, words) in columns.items()}
        row = {name: value for name, value in sensible.items() if value is not ...}
        for name in self.random.sample(list(columns), self.random.choice((1, 1, 2, 3))):
            kind, nullable, words = columns[name]
            row[name] = None if nullable and self.random.random() < 0.1 else self._odd(kind, words)
        return Row(table, row)

    def _sensible(self, table: str, name: str, words: list[str]):
        job = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        kind = self.random.choice(KINDS[:6])
        known = {
            "job_id": job, "message_id": job, "kind": kind, "type": kind, "routing_key": kind, "name": f"s-{job[:8]}",
            "every": "1 hour", "body": b'{"user_id":"alice","disk_name":"odd"}', "content_type": "application/json",
            "lock": self.random.getrandbits(62), "version": "0", "slots": 16}
        if words:
            return self.random.choice(words)
        return known.get(name, ...)

    def _odd(self, kind: str, words: list[str]):
        pick = self.random.choice
        if words and self.random.random() < 0.7:
            return pick(words)
        if kind.startswith("timestamp") or kind == "date":
            return pick(TIMES)
        return {
            "interval": lambda: pick(INTERVALS), "jsonb": lambda: Jsonb(pick(DOCUMENTS)), "bytea": lambda: pick(BODIES),
            "boolean": lambda: pick((True, False)), "uuid": lambda: pick((str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1)))),
            "integer": lambda: pick([n for n in NUMBERS if -2**31 <= n < 2**31]), "bigint": lambda: pick(NUMBERS),
            "ARRAY": lambda: pick(([], ["x"], ["x" * 1000] * 50)),
        }.get(kind, lambda: pick(TEXTS + KINDS))()

    def _message(self) -> Message:
        pick, chance = self.random.choice, self.random.random
        exchange = pick(("", "", "jobs", "jobs", "events", "dead"))
        key = pick(self._queues + ["events.log"]) if not exchange else pick(KINDS)
        kind = pick(KINDS)
        job = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        properties = {"message_id": job, "type": kind, "content_type": "application/json", "delivery_mode": 2}
        for name, values in {
                "message_id": (None, "", "no-uuid", job.upper(), "0" * 255), "type": (None, *KINDS),
                "content_type": (None, "", "text/plain", "application/json; charset=latin1", "x" * 255),
                "content_encoding": ("gzip", "x" * 255), "user_id": ("guest", "nobody"), "expiration": ("0", "1", "soon", "-1"),
                "priority": (0, 9, 255), "correlation_id": ("", "c" * 255), "reply_to": ("amq.rabbitmq.reply-to", ""),
                "timestamp": (0, 2**32, 2**63 - 1), "delivery_mode": (0, 1, 7), "app_id": ("x" * 255,), "cluster_id": ("x",),
        }.items():
            if chance() < 0.15:
                properties[name] = pick(values)
        if chance() < 0.7:
            properties["headers"] = {pick(HEADERS): pick(VALUES) for _ in range(self.random.randrange(1, 5))}
        return Message(exchange, key, {name: value for name, value in properties.items() if value is not None}, pick(BODIES))


REFUSED = (
    psycopg.errors.IntegrityError, psycopg.errors.DataError, psycopg.errors.RaiseException,
    psycopg.errors.ProgrammingError, psycopg.errors.InternalError)


def put(system, row: Row) -> bool:
    """Whether the schema admits it."""
    names = ", ".join(row.columns)
    marks = ", ".join(["%s"] * len(row.columns))
    try:
        system.rows(f"INSERT INTO {row.table} ({names}) VALUES ({marks})", *row.columns.values())
    except REFUSED:
        return False
    return True


def send(system, message: Message) -> bool:
    """Whether the broker takes it; it closes the channel on what it refuses."""
    exchange = message.exchange and f"{system.prefix}.{message.exchange}"
    key = message.routing_key if message.exchange else f"{system.prefix}.{message.routing_key}"
    try:
        if not system.channel.is_open:
            system.channel = system.channel.connection.channel()
            system.channel.confirm_delivery()
        system.channel.basic_publish(exchange, key, message.body, pika.BasicProperties(**message.properties))
    except (pika.exceptions.AMQPError, ValueError, OverflowError, AssertionError, UnicodeError):
        if not system.channel.connection.is_open:
            system.connect()
        return False
    return True
