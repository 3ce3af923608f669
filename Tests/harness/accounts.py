"""Accounts at RabbitMQ and PostgreSQL, as docs/operations.md and docs/producers.md give them their rights."""

import re
import urllib.parse
import urllib.request

from harness.repository import ROOT

ROLES = (ROOT / "docs/database-roles.sql").read_text()
PASSWORD = "geheim"


def broker_rights(document: str, account: str, prefix: str) -> dict[str, str]:
    """What a document's `rabbitmqctl set_permissions` gives an account, for the names of this test."""
    rights = re.search(rf"set_permissions --vhost \S+ {account} '(.*?)' '(.*?)' '(.*?)'", document).groups()
    return dict(zip(("configure", "write", "read"), (right.replace("gpudev", prefix) for right in rights), strict=True))


def login(url: str, user: str, password: str = PASSWORD) -> str:
    """The same server, for another account."""
    parts = urllib.parse.urlparse(url)
    return parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}").geturl()


def run_roles(system) -> None:
    """Runs docs/database-roles.sql as the owner, with names of this test."""
    system.rows(ROLES.replace("gpudev_", f"{system.prefix}_").replace("%", "%%"))


def give_roles(system) -> dict[str, str]:
    """Makes the roles of docs/database-roles.sql for this test, each with a member that logs in; the logins by role."""
    run_roles(system)
    logins = {}
    for role in ("worker", "producer", "reader"):
        logins[role] = f"{system.prefix}_{role}_login"
        system.rows(f"CREATE ROLE {logins[role]} LOGIN PASSWORD '{PASSWORD}' IN ROLE {system.prefix}_{role}")
    return logins


def take_roles(system) -> None:
    for name, in system.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", f"{system.prefix}%"):
        system.rows(f"DROP OWNED BY {name}")
        system.rows(f"DROP ROLE {name}")
