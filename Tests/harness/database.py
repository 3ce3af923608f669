"""Databases on the PostgreSQL server of this run."""

import os
import pathlib

import psycopg

from harness.repository import ROOT

MIGRATIONS = sorted((ROOT / "schemas/sql").glob("*.sql"))
"""The steps of the schema, in their order."""


def server_url() -> str:
    """The server, for its administrator."""
    return os.environ["GPUDEV_TEST_DATABASE_URL"]


def database_url(name: str, server: str) -> str:
    """Another database of the same server."""
    return server.rpartition("/")[0] + "/" + name


def administer(server: str, *statements: str) -> None:
    """Runs statements that no transaction may hold, such as `CREATE DATABASE`."""
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def create_database(name: str, server: str, template: str = "template1") -> None:
    administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def drop_database(name: str, server: str) -> None:
    """Drops it with the sessions that are still in it, if it is there."""
    administer(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def migrate(database: psycopg.Connection, steps: list[pathlib.Path]) -> None:
    """Applies steps; statements that no transaction may hold each by itself."""
    for step in steps:
        text = step.read_text()
        for statement in text.split(";\n") if " INDEX CONCURRENTLY " in text else [text]:
            database.execute(statement)


def query(url: str, statement: str, *parameters, **options) -> list[tuple]:
    """The rows of one statement, by a connection of its own."""
    with psycopg.connect(url, autocommit=True, **options) as connection:
        return fetched(connection.execute(statement, parameters))


def fetched(cursor: psycopg.Cursor) -> list[tuple]:
    """The rows of a statement, which may have no columns; none of one that gives no rows."""
    return cursor.fetchall() if cursor.pgresult.status == psycopg.pq.ExecStatus.TUPLES_OK else []
