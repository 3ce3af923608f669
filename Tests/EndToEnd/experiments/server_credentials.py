"""RabbitMQ and PostgreSQL as an operator sees them: accounts, passwords, certificates, and connections to cut."""

import contextlib
import pathlib
import urllib.error
import urllib.parse

from harness import tls
from harness.accounts import login
from harness.broker import management
from harness.database import server_url
from harness.experiment import CONNECTIONS, Experiment
from harness.network.loopback import free_port
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
            tls.open_broker_listener(self._listener, certificate)
        tls.forget_broker_certificates()

    def close(self) -> None:
        if self._listener:
            tls.close_broker_listener(self._listener)
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
        tls.enable_in_database(server_url(), certificate)

    def close(self) -> None:
        tls.disable_in_database(server_url())
        role = self._experiment.prefix
        if self._experiment.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            self._experiment.rows(f'DROP OWNED BY "{role}"')
            self._experiment.rows(f'DROP ROLE "{role}"')
