"""RabbitMQ and PostgreSQL as an operator sees them: accounts, passwords, certificates, and connections to cut."""

import contextlib
import datetime
import ipaddress
import os
import pathlib
import shutil
import urllib.error
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.accounts import login
from harness.broker import management
from harness.experiment import CONNECTIONS, Experiment
from harness.network.loopback import free_port
from harness.services import services
from harness.waiting import eventually


class Broker:
    """The worker's user of RabbitMQ."""

    setting = "AMQP_URL"
    refusal = "authenticationFailed (403)"
    distrust = "tlsFailed"
    system_user = "rabbitmq"

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._listener = 0

    def url(self, password: str) -> str:
        return login(self._experiment.environment[self.setting], self._experiment.prefix, password)

    def set_password(self, password: str) -> None:
        user = self._experiment.prefix
        management(f"users/{user}", "PUT", {"password": password, "tags": ""})
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        management(f"permissions/%2F/{user}", "PUT", rights)

    def cut(self) -> None:
        """Ends the worker's connections."""

        def all_connections() -> list[str] | None:
            names = [
                connection["name"] for connection in management("connections")
                if connection.get("client_properties", {}).get("connection_name", "").endswith(CONNECTIONS)]
            return names if len(names) >= len(CONNECTIONS) * len(self._experiment.living) else None

        for name in eventually("the broker lists all connections", all_connections):
            with contextlib.suppress(urllib.error.HTTPError):
                management("connections/" + urllib.parse.quote(name, safe=""), "DELETE")

    def secure_url(self) -> str:
        return f"amqps://guest:guest@localhost:{self._listener}/"

    def serve(self, certificate: pathlib.Path) -> None:
        """Offers TLS with a certificate; its files may change later."""
        if not self._listener:
            self._listener = free_port()
            files = f'{{certfile, "{certificate}"}}, {{keyfile, "{certificate.with_suffix(".key")}"}}'
            evaluate(f'rabbit_networking:start_ssl_listener({{"127.0.0.1", {self._listener}, auto}}, [{files}], 1).')
        evaluate("ssl:clear_pem_cache().")

    def close(self) -> None:
        if self._listener:
            evaluate(f'rabbit_networking:stop_tcp_listener({{"127.0.0.1", {self._listener}, auto}}).')
        with contextlib.suppress(urllib.error.HTTPError):
            management(f"users/{self._experiment.prefix}", "DELETE")


class Database:
    """The worker's role in PostgreSQL."""

    setting = "DATABASE_URL"
    refusal = "password authentication failed"
    distrust = "certificate verify failed"
    system_user = "postgres"

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    def url(self, password: str) -> str:
        return login(self._experiment.environment[self.setting], self._experiment.prefix, password)

    def set_password(self, password: str) -> None:
        role = self._experiment.prefix
        for group in ("with_password", role):
            if not self._experiment.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", group):
                self._experiment.rows(f'CREATE ROLE "{group}"')
        self._experiment.rows(f"""ALTER ROLE "{role}" LOGIN PASSWORD '{password}'""")
        self._experiment.rows(f'GRANT with_password TO "{role}"')
        self._experiment.rows(f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"')
        self._experiment.rows(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{role}"')

    def cut(self) -> None:
        """Ends the worker's connections."""
        self._experiment.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()")

    def secure_url(self) -> str:
        url = self._experiment.environment[self.setting].replace("127.0.0.1", "localhost")
        return f"{url}?sslmode=verify-full&sslrootcert={self._experiment.environment['SSL_CERT_FILE']}"

    def serve(self, certificate: pathlib.Path) -> None:
        """Offers TLS with a certificate; its files may change later."""
        self._experiment.rows(f"ALTER SYSTEM SET ssl_cert_file = '{certificate}'")
        self._experiment.rows(f"ALTER SYSTEM SET ssl_key_file = '{certificate.with_suffix('.key')}'")
        self._experiment.rows("ALTER SYSTEM SET ssl = on")
        self._reload()

    def _reload(self) -> None:
        loaded = self._experiment.value("SELECT pg_conf_load_time()")
        self._experiment.rows("SELECT pg_reload_conf()")
        eventually(
            "PostgreSQL has read its settings", lambda: self._experiment.value("SELECT pg_conf_load_time()") > loaded)

    def close(self) -> None:
        for setting in ("ssl", "ssl_cert_file", "ssl_key_file"):
            self._experiment.rows(f"ALTER SYSTEM RESET {setting}")
        self._reload()
        role = self._experiment.prefix
        if self._experiment.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            self._experiment.rows(f'DROP OWNED BY "{role}"')
            self._experiment.rows(f'DROP ROLE "{role}"')


class Authority:
    """Issues certificates for this machine."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of these experiments")])
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
    path.write_bytes(content)
    path.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(path, owner)


def evaluate(expression: str) -> None:
    """Has the broker evaluate an Erlang expression."""
    services("ctl", "eval", expression)
