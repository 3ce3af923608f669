"""A TCP server in front of PostgreSQL or RabbitMQ that strikes once when the worker sends certain bytes."""

import contextlib
import socket
import threading
from collections.abc import Callable


class _Cut:
    """Of one connection: whether its answers are swallowed by now, and whether one has been."""

    def __init__(self) -> None:
        self.has_come = threading.Event()
        self.is_answered = threading.Event()


class TriggerProxy:
    """Relays both directions; `strike` is called after the bytes with the pattern have gone on to the service.

    What the service answers from then on over that connection is swallowed, and the connection is cut.
    """

    def __init__(self, host: str, port: int, pattern: bytes, strike: Callable[[], None] = lambda: None) -> None:
        self._target = (host, port)
        self._pattern = pattern
        self._strike = strike
        self.has_struck = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                cut = _Cut()
                for relay in (self._to_server, self._to_client):
                    threading.Thread(target=relay, args=(client, server, cut), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, cut: _Cut) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                strikes = self._pattern in data and not self.has_struck.is_set()
                if strikes:
                    self.has_struck.set()
                    cut.has_come.set()
                server.sendall(data)
                if strikes:
                    cut.is_answered.wait(10)
                    self._strike()
                    break
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    @staticmethod
    def _to_client(client: socket.socket, server: socket.socket, cut: _Cut) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if cut.has_come.is_set():
                    cut.is_answered.set()
                else:
                    client.sendall(data)

    def close(self) -> None:
        self._listener.close()
