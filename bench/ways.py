"""How workers reach RabbitMQ and PostgreSQL: straight, over TLS, or through a relay that delays and counts."""

import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from bench import programs
from bench.options import Options
from harness import tls
from harness.broker import broker_url
from harness.cluster import amqp_ports, api_ports, three_nodes
from harness.database import server_url
from harness.network.loopback import free_port
from harness.waiting import eventually


@dataclass(frozen=True)
class Way:
    """Ports that stand for those of the services, and the authority that has signed their certificates."""

    amqp_port: int | None = None
    postgres_port: int | None = None
    authority: pathlib.Path | None = None

    def settings(self, broker: str, database: str) -> dict[str, str]:
        """A worker's settings, made of the URLs of the services themselves."""
        if not self.authority:
            return {
                "AMQP_URL": _at(broker, port=self.amqp_port), "DATABASE_URL": _at(database, port=self.postgres_port)}
        query = urllib.parse.urlencode({"sslmode": "verify-full", "sslrootcert": self.authority})
        return {
            "AMQP_URL": _at(broker, "amqps", "localhost", self.amqp_port),
            "DATABASE_URL": f"{_at(database, host='localhost', port=self.postgres_port)}?{query}",
            "SSL_CERT_FILE": str(self.authority),
        }


STRAIGHT = Way()


def _at(url: str, scheme: str = "", host: str = "", port: int | None = None) -> str:
    parts = urllib.parse.urlsplit(url)
    account = parts.netloc.rpartition("@")[0]
    place = f"{account}@{host or parts.hostname}:{port or parts.port}"
    return parts._replace(scheme=scheme or parts.scheme, netloc=place).geturl()


class Relay:
    """A process in front of a service; `protocol` is one that it can count."""

    def __init__(self, service: str, protocol: str, microseconds: int = 0) -> None:
        self.port = free_port()
        target = urllib.parse.urlsplit(service).port
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", programs.relay(), *map(str, (self.port, target, microseconds)), protocol],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        eventually("the relay listens", self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> int:
        """Ends it; returns how many messages it has counted, in both directions together."""
        self._process.terminate()
        told, _ = self._process.communicate(timeout=30)
        return sum(map(int, told.split()))


@contextlib.contextmanager
def delayed(microseconds: int) -> Iterator[Way]:
    """Every byte takes so much longer, in each direction."""
    relays = Relay(broker_url(), "amqp", microseconds), Relay(server_url(), "postgresql", microseconds)
    try:
        yield Way(relays[0].port, relays[1].port)
    finally:
        for relay in relays:
            relay.close()


@contextlib.contextmanager
def secured() -> Iterator[Way]:
    """Both services offer TLS, and workers check who they talk to."""
    with tempfile.TemporaryDirectory(prefix="gpudev-certificates-", dir="/tmp") as name, contextlib.ExitStack() as ends:
        # The services read their certificates themselves.
        directory, port = pathlib.Path(name), free_port()
        directory.chmod(0o755)
        authority = tls.Authority(directory)
        certificates = {owner: directory / f"{owner}.pem" for owner in ("rabbitmq", "postgres")}
        for owner, path in certificates.items():
            authority.issue(path, 7, owner)
        tls.open_broker_listener(port, certificates["rabbitmq"])
        ends.callback(tls.close_broker_listener, port)
        tls.enable_in_database(server_url(), certificates["postgres"])
        ends.callback(tls.disable_in_database, server_url())
        yield Way(amqp_port=port, authority=authority.file)


@contextlib.contextmanager
def clustered() -> Iterator[Way]:
    """Everybody uses the first of three nodes; each quorum queue has a member on all of them."""
    names = ("GPUDEV_TEST_AMQP_URL", "GPUDEV_TEST_RABBITMQ_API")
    before = {name: os.environ[name] for name in names}
    with three_nodes():
        for name, port in zip(names, (amqp_ports()[0], api_ports()[0])):
            parts = urllib.parse.urlsplit(before[name])
            os.environ[name] = before[name].replace(f":{parts.port}", f":{port}")
        try:
            yield STRAIGHT
        finally:
            os.environ.update(before)


def chosen(options: Options) -> contextlib.AbstractContextManager[Way]:
    """What the options ask for."""
    if options.tls:
        return secured()
    if options.nodes > 1:
        return clustered()
    if options.delay:
        return delayed(options.delay)
    return contextlib.nullcontext(STRAIGHT)
