"""The platform's tables, as its API service writes them and as anyone may read them."""

import os

import psycopg


class Tables:
    """A connection of its own; every statement commits."""

    def __init__(self) -> None:
        self._connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)

    def add_reservation(self, reservation: str, user: str, pod: str) -> None:
        """An active reservation, as the API would have made it."""
        self._connection.execute(
            """INSERT INTO reservations (reservation_id, user_id, status, gpu_type, gpu_count, duration_hours,
                   created_at, launched_at, expires_at, pod_name, namespace, jupyter_enabled)
               VALUES (%s, %s, 'active', 't4', 1, 4, now(), now(), now() + interval '4 hours', %s, 'gpu-dev', true)""",
            (reservation, user, pod),
        )

    def add_gpu_type(self, name: str, instance: str, gpus: int) -> None:
        """A type of machine that the platform lends."""
        self._connection.execute(
            """INSERT INTO gpu_types (gpu_type, instance_type, max_gpus, cpus, memory_gb)
               VALUES (%s, %s, %s, 48, 192)""",
            (name, instance, gpus),
        )

    def value(self, query: str) -> object:
        """The only value that a query gives."""
        return self._connection.execute(query).fetchone()[0]

    def jobs(self, ids: list[str]) -> dict[str, tuple]:
        """State, attempts and replays of each of these jobs."""
        rows = self._connection.execute(
            "SELECT job_id::text, state, attempts, replays FROM job_ledger WHERE job_id = ANY(%s::uuid[])", (ids,))
        return {job: tuple(rest) for job, *rest in rows}

    def count(self, table_and_condition: str) -> int:
        """How many rows there are."""
        return self._connection.execute(f"SELECT count(*) FROM {table_and_condition}").fetchone()[0]
