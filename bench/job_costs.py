"""What a job costs PostgreSQL and the network. These are counts: a slower machine has the same, but for the size of batches."""

import re
import subprocess
import urllib.parse

from bench.resource_usage import family
from bench.site import Site
from harness.waiting import eventually

WAL, COMMITS, DEAD_ROWS, PACKETS = "WAL bytes", "commits", "dead rows", "packets"
FRAMES, ROUND_TRIPS = "AMQP frames", "database round trips"
COSTS = (WAL, COMMITS, DEAD_ROWS, ROUND_TRIPS, FRAMES, PACKETS)

POSITION = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
# Each update and each deletion leaves a dead row version; vacuum does not count backwards here.
ACTIVITY = """
    SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
        (SELECT sum(n_tup_upd + n_tup_del) FROM pg_stat_user_tables)"""
SEGMENTS = re.compile(r"(?<!_)segs_(?:in|out):(\d+)")


class CostMeter:
    """Counts from its start to its end, of all that happens on a site."""

    def __init__(self, place: Site) -> None:
        self._place = place
        self._position = self._wal()
        self._commits, self._dead = self._activity()

    def stop(self, jobs: int) -> dict[str, float]:
        """Ends the workers, which only then tell PostgreSQL all they did, and returns the costs of one job."""
        packets = packets_of([process.pid for process in self._place.processes], self._ports())
        position = self._wal()
        self._place.stop()
        eventually("the workers have left PostgreSQL", self._is_alone)
        commits, dead = self._activity()
        counts = {
            WAL: position - self._position, COMMITS: commits - self._commits, DEAD_ROWS: dead - self._dead, PACKETS: packets}
        return {name: float(count) / jobs for name, count in counts.items()}

    def _wal(self) -> int:
        return self._place.rows(POSITION)[0][0]

    def _activity(self) -> tuple[int, int]:
        return self._place.rows(ACTIVITY)[0]

    def _is_alone(self) -> bool:
        return self._place.rows(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'")[0][0]

    def _ports(self) -> set[int]:
        urls = (self._place.environment[name] for name in ("AMQP_URL", "DATABASE_URL"))
        return {urllib.parse.urlsplit(url).port for url in urls}


def packets_of(processes: list[int], ports: set[int]) -> int:
    """TCP segments that the open connections of processes to these ports have sent and received since they were made."""
    members = {member for process in processes for member in family(process)}
    listed = subprocess.run(["ss", "-HOtinp"], capture_output=True, text=True, timeout=30, check=True).stdout
    return sum(segments_in(line) for line in listed.splitlines() if is_connection(line, members, ports))


def is_connection(line: str, processes: set[int], ports: set[int]) -> bool:
    """Whether a line of `ss` is about a connection from one of the processes to one of the ports."""
    owners = set(map(int, re.findall(r"pid=(\d+)", line)))
    fields = line.split()
    return bool(owners & processes) and len(fields) > 4 and fields[4].rpartition(":")[2] in map(str, ports)


def segments_in(line: str) -> int:
    return sum(map(int, SEGMENTS.findall(line)))
