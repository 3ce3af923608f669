"""What every test from outside needs: its own database on the private PostgreSQL that ./dev test started."""

import os
import uuid
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]


def required(variable: str) -> str:
    value = os.environ.get(variable)
    assert value, f"{variable} is not set: run the tests with ./dev test"
    return value


@pytest.fixture
def database():
    """A connection to a database of its own, with the worker's tables in it."""
    admin_url = required("GPUDEV_TEST_DATABASE_URL")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        with psycopg.connect(admin_url, dbname=name, autocommit=True) as connection:
            connection.execute((ROOT / "schemas/sql/0002_worker.sql").read_text())
            yield connection
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
