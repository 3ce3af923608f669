"""TLS on the services of a run: an authority that issues certificates for this machine, and servers that offer them."""

import datetime
import ipaddress
import os
import pathlib
import shutil

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.database import administer, query
from harness.services import evaluate
from harness.waiting import eventually

SETTINGS = ("ssl", "ssl_cert_file", "ssl_key_file")


class Authority:
    """Issues certificates for `localhost` and 127.0.0.1."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of this machine")])
        self.file = directory / "authority.pem"
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        builder = self._builder(self._name, self._key, 3650).add_extension(constraint, critical=True)
        self.file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(now + datetime.timedelta(days=days)))

    def issue(self, path: pathlib.Path, days: int, owner: str) -> None:
        """Writes a certificate that ends in so many days, and its key beside it."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        certificate = self._builder(subject, key, days).add_extension(names, critical=False)
        pem = serialization.Encoding.PEM
        form = serialization.PrivateFormat.PKCS8
        write(path, certificate.sign(self._key, hashes.SHA256()).public_bytes(pem), owner)
        write(path.with_suffix(".key"), key.private_bytes(pem, form, serialization.NoEncryption()), owner)


def write(path: pathlib.Path, content: bytes, owner: str) -> None:
    """Writes a file that only its owner can read, as PostgreSQL wants its keys."""
    path.write_bytes(content)
    path.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(path, owner)


def open_broker_listener(port: int, certificate: pathlib.Path) -> None:
    """Lets the broker offer TLS on one more port; files that change later count for new connections after `forget`."""
    files = f'{{certfile, "{certificate}"}}, {{keyfile, "{certificate.with_suffix(".key")}"}}'
    evaluate(f'rabbit_networking:start_ssl_listener({{"127.0.0.1", {port}, auto}}, [{files}], 1).')


def forget_broker_certificates() -> None:
    """Lets the broker read its certificates anew."""
    evaluate("ssl:clear_pem_cache().")


def close_broker_listener(port: int) -> None:
    evaluate(f'rabbit_networking:stop_tcp_listener({{"127.0.0.1", {port}, auto}}).')


def enable_in_database(server: str, certificate: pathlib.Path) -> None:
    """Lets PostgreSQL offer TLS, to who asks for it, on the port that it has."""
    values = ("on", certificate, certificate.with_suffix(".key"))
    _reload(server, *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in zip(SETTINGS, values)))


def disable_in_database(server: str) -> None:
    _reload(server, *(f"ALTER SYSTEM RESET {name}" for name in SETTINGS))


def _reload(server: str, *changes: str) -> None:
    def loaded():
        return query(server, "SELECT pg_conf_load_time()")

    before = loaded()
    administer(server, *changes, "SELECT pg_reload_conf()")
    eventually("PostgreSQL has read its settings", lambda: loaded() > before)
