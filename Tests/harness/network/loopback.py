"""Ports and HTTP on this machine."""

import contextlib
import random
import socket
import urllib.request


def free_port() -> int:
    """A port below those that the kernel hands to clients."""
    while True:
        port = random.randrange(15000, 30000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def open_url(url: str | urllib.request.Request, timeout: float):
    """Opens a URL of this machine, past any proxy that the environment names."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=timeout)
