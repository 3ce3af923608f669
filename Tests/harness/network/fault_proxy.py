"""A TCP server between the worker and a service that cuts, stalls, swallows, delays and loses what passes."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
import urllib.parse


class Flow:
    """What happens to the bytes of one direction."""

    def __init__(self) -> None:
        self.restore()

    def restore(self) -> None:
        self.delay = 0.0
        self.loss = 0.0
        self.bytes_per_second = 0
        self.is_stalled = False
        self.cut_after: int | None = None


class FaultProxy:
    """Relays to `target`, which may be changed; `up` is the direction to the service.

    Lost packets come again after 200 ms, as TCP would send them. A stalled direction stops reading, so that buffers
    fill up. Connections that are there or made while the proxy `is_dark` are half-open for ever: their bytes are taken
    and forgotten, and no end hears of it. What `meter` makes for a connection is told the bytes of either direction.
    """

    retransmission = 0.2

    def __init__(self, host: str, port: int, seed: int = 0, meter=None) -> None:
        self.target = (host, port)
        self.up, self.down = Flow(), Flow()
        self.is_dark = False
        self._random = random.Random(seed)
        self._meter = meter
        self._connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    @classmethod
    def before(cls, url: str, seed: int = 0, meter=None) -> "FaultProxy":
        """A proxy in front of what a URL names; its own `url` leads through it."""
        parts = urllib.parse.urlparse(url)
        proxy = cls(parts.hostname, parts.port, seed, meter)
        proxy.url = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")).geturl()
        return proxy

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            self._abort(writer)
            return
        ends = (writer, far_writer)
        self._connections.add(ends)
        meter = self._meter() if self._meter else None
        await asyncio.gather(
            self._relay(reader, far_writer, self.up, ends, meter and meter.up),
            self._relay(far_reader, writer, self.down, ends, meter and meter.down))
        self._connections.discard(ends)
        for end in ends:
            end.close()

    async def _relay(
            self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: Flow, ends, tell) -> None:
        is_lost = False
        try:
            while data := await reader.read(65536):
                if tell:
                    tell(data)
                while flow.is_stalled:
                    await asyncio.sleep(0.05)
                is_lost = is_lost or self.is_dark
                if is_lost:
                    continue
                if (pause := self._pause(flow, len(data))) > 0:
                    await asyncio.sleep(pause)
                if flow.cut_after is not None and flow.cut_after < len(data):
                    data, flow.cut_after = data[: flow.cut_after], None
                    writer.write(data)
                    await writer.drain()
                    for end in ends:
                        self._abort(end)
                    return
                if flow.cut_after is not None:
                    flow.cut_after -= len(data)
                writer.write(data)
                await writer.drain()
            if not is_lost and writer.can_write_eof():
                writer.write_eof()
        except OSError:
            # Who was reset at one end must hear it at the other, or waits for ever.
            for end in () if is_lost else ends:
                self._abort(end)

    def _pause(self, flow: Flow, size: int) -> float:
        pause = flow.delay + (self.retransmission if self._random.random() < flow.loss else 0)
        return pause + (size / flow.bytes_per_second if flow.bytes_per_second else 0)

    @staticmethod
    def _abort(writer: asyncio.StreamWriter) -> None:
        end = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def reset(self) -> None:
        """Ends all connections at once with a reset."""

        async def reset() -> None:
            for ends in list(self._connections):
                for end in ends:
                    self._abort(end)

        self._call(reset())

    def restore(self) -> None:
        self.is_dark = False
        self.up.restore()
        self.down.restore()

    def close(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _end(self) -> None:
        self._server.close()
        for ends in list(self._connections):
            for end in ends:
                self._abort(end)
        relays = asyncio.all_tasks() - {asyncio.current_task()}
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)
