"""The statements that the worker really sends for one job, read from PostgreSQL's log, and pgbench with them."""

import pathlib
import re
import subprocess
import uuid
from typing import NamedTuple

from bench.producer import job, publish
from bench.site import PLACE, site
from harness.database import administer, server_url
from harness.waiting import eventually

LOG = PLACE / "postgres.log"
IDENTITY, USER, DISK, SIZE = str(uuid.UUID(int=0xB3)), "user-1", "disk-1", 100
ENTRY = re.compile(
    r"^\d\S+ \S+ \S+ \[\d+\] \S+ gpudev-worker LOG:  execute [^:\n]+: (?P<text>INSERT [^\n]*(?:\n\t[^\n]*)*)\n"
    r"(?:\d\S+ \S+ \S+ \[\d+\] \S+ gpudev-worker DETAIL:  parameters: (?P<values>[^\n]*))?", re.MULTILINE)
AT_START = ("INSERT INTO job_schedules", "INSERT INTO workers")
"""What a worker enters once, when it starts."""
VALUE = re.compile(r"\$\d+ = (NULL|'(?:[^']|'')*')")


class Statement(NamedTuple):
    """One statement with numbered parameters, and one set of values as SQL literals."""

    text: str
    values: list[str]

    def with_values(self, named: dict[str, str]) -> str:
        """The text with the recorded literals in it, but for those that are named, which become something else."""

        def value(number: re.Match) -> str:
            literal = self.values[int(number.group(1)) - 1]
            return named.get(literal, literal)

        return re.sub(r"\$(\d+)", value, self.text)


def parametrized(statements: list[Statement]) -> dict[str, str]:
    """What the yardsticks prepare, by the names of settings: the statements with what differs from job to job left open.

    The ledger's has the job for its parameter; the disk's job, user, name and GiB; the outbox's job and body.
    """
    ledger, disk, outbox = statements
    body = next(value for value in outbox.values if value.startswith("'\\x"))
    return {
        "LEDGER_SQL": ledger.with_values({f"'{IDENTITY}'": "$1"}),
        "DISK_SQL": disk.with_values(
            {f"'{IDENTITY}'": "$1", f"'{USER}'": "$2", f"'{DISK}'": "$3", f"'{SIZE}'": "$4"}),
        "OUTBOX_SQL": outbox.with_values(
            {f"'{IDENTITY}'": "$1", f"'{IDENTITY}.completed'": "($1::text || '.completed')", body: "$2"}),
    }


def recorded() -> list[Statement]:
    """Lets the worker do one `disk.create`, and returns the three statements of its transaction."""
    offset = LOG.stat().st_size
    with site() as place:
        administer(server_url(), f'ALTER DATABASE "{place.name}" SET log_statement = \'all\'')
        place.start()
        payload = {"user_id": USER, "disk_name": DISK, "size_gb": SIZE}
        publish([job(place.name, "disk.create", payload, IDENTITY)])
        eventually("the event of the first job", place.events)
        place.stop()
    with LOG.open("rb") as log:
        log.seek(offset)
        text = log.read().decode()
    found = [
        Statement(entry["text"].replace("\n\t", "\n"), VALUE.findall(entry["values"] or ""))
        for entry in ENTRY.finditer(text) if not entry["text"].startswith(AT_START)]
    tables = [re.match(r"INSERT INTO (\w+)", statement.text)[1] for statement in found]
    if tables != ["job_ledger", "disks", "outbox"]:
        raise RuntimeError(f"the worker's statements are not those that the benchmark knows: {tables}")
    return found


def transaction(statements: list[Statement], round_trips: int) -> str:
    """A pgbench script of the whole job, with an id and a name of its own each time."""
    lines = [r"\set id random(1, 9000000000000000000)"]
    named = {
        f"'{IDENTITY}'": "md5(:id::text)::uuid", f"'{DISK}'": "'disk-' || :id::text",
        f"'{IDENTITY}.completed'": "(md5(:id::text) || '-xxx.completed')",
    }
    inserts = [" ".join(statement.with_values(named).split()) + ";" for statement in statements]
    if round_trips == 1:
        return "\n".join([*lines, r"\startpipeline", *inserts, r"\endpipeline", ""])
    return "\n".join([*lines, "BEGIN;", *inserts, "COMMIT;", ""])


class Rate(NamedTuple):
    """What pgbench says: transactions a second, and milliseconds each takes on average."""

    rate: float
    latency: float


def pgbench(statements: list[Statement], round_trips: int, clients: int, seconds: int) -> Rate:
    """Runs pgbench on a database of its own."""
    script = PLACE / f"pgbench-{round_trips}.sql"
    script.write_text(transaction(statements, round_trips))
    with site() as place:
        result = subprocess.run(
            [program("pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=1",
             f"--time={seconds}", f"--file={script}", place.database],
            capture_output=True, text=True, timeout=seconds + 60, check=False)
        rows = place.rows("SELECT (SELECT count(*) FROM job_ledger), (SELECT count(*) FROM outbox)")[0]
    rate = re.search(r"tps = ([\d.]+)", result.stdout)
    latency = re.search(r"latency average = ([\d.]+) ms", result.stdout)
    if result.returncode != 0 or not rate or not latency or rows[0] != rows[1] or not rows[0]:
        raise RuntimeError(f"pgbench: {result.stdout}{result.stderr}")
    return Rate(float(rate.group(1)), float(latency.group(1)))


def program(name: str) -> pathlib.Path:
    """The newest program of PostgreSQL of that name that Debian has installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    if not found:
        raise RuntimeError(f"{name} is missing; it comes with Debian's package postgresql")
    return found[-1]
