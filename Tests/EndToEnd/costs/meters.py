"""Counts what passes over a connection, by the framing of its protocol."""

import collections
import struct


class PostgresMeter:
    """Messages of the frontend/backend protocol 3.0, by their type letter, as the client sends them.

    `Execute` (E) is one statement, `Sync` (S) is one round trip.
    """

    # SSLRequest and GSSENCRequest come before the start-up message and have no answer of a known length.
    _requests_for_encryption = (80877103, 80877104)

    def __init__(self, counts: collections.Counter) -> None:
        self._counts = counts
        self._buffer = b""
        self._has_started = False

    def up(self, data: bytes) -> None:
        self._buffer += data
        while not self._has_started and len(self._buffer) >= 8:
            length, code = struct.unpack_from("!II", self._buffer)
            if len(self._buffer) < length:
                return
            self._buffer = self._buffer[length:]
            self._has_started = code not in self._requests_for_encryption
        while self._has_started and len(self._buffer) >= 5:
            length, = struct.unpack_from("!I", self._buffer, 1)
            if len(self._buffer) < length + 1:
                return
            self._counts[chr(self._buffer[0])] += 1
            self._buffer = self._buffer[length + 1:]

    def down(self, data: bytes) -> None:
        pass


class AMQPMeter:
    """Frames of AMQP 0-9-1 in both directions, heartbeats left out."""

    _header, _heartbeat = b"AMQP\x00\x00\x09\x01", 8

    def __init__(self, counts: collections.Counter) -> None:
        self._counts = counts
        self._buffers = {"sent": b"", "received": b""}

    def up(self, data: bytes) -> None:
        self._read("sent", data)

    def down(self, data: bytes) -> None:
        self._read("received", data)

    def _read(self, direction: str, data: bytes) -> None:
        buffer = (self._buffers[direction] + data).removeprefix(self._header)
        while len(buffer) >= 7:
            kind, _, length = struct.unpack_from("!BHI", buffer)
            if len(buffer) < length + 8:
                break
            self._counts[direction] += kind != self._heartbeat
            buffer = buffer[length + 8:]
        self._buffers[direction] = buffer
