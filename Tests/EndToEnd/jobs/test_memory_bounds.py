"""Memory is bounded by bytes, not by how many messages there are: a few huge ones end no replica."""

import pathlib

import pytest

from harness.waiting import eventually
from harness.worker import Replica

MOST = 128 << 10
"""What a replica may ever hold, in KiB; a quarter of its limit in Kubernetes."""
HUGE, HUNDREDS = 15 << 20, 30
ROWS = 200


def peak(replica: Replica) -> int:
    """The most memory that it ever had, in KiB."""
    status = pathlib.Path(f"/proc/{replica.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.timeout(600)
def test_bodies_that_no_job_can_have_are_passed_over_and_kept_by_the_broker(system):
    replica, = system.start()
    before = peak(replica)
    body = b"x" * HUGE
    for _ in range(HUNDREDS):
        job = system.publish("disk.create", body, headers={"x-requested-by": "me"})
    eventually("all are buried", lambda: system.depth("disks.dead") == HUNDREDS, 120)
    assert system.event(job)["data"]["code"] == "size"
    assert peak(replica) < MOST, f"{before} KiB at rest"
    properties, found = system.letter()
    assert found == body and properties.headers["x-requested-by"] == "me"
    system.channel.queue_purge(f"{system.prefix}.disks.dead")


@pytest.mark.timeout(600)
def test_a_backlog_of_large_rows_is_relayed_in_small_portions(system):
    system.rows(
        "INSERT INTO outbox (destination, routing_key, message_id, body)"
        " SELECT 'events', 'test.large', gen_random_uuid()::text, convert_to(repeat('x', 1048576), 'UTF8')"
        " FROM generate_series(1, %s)", ROWS)
    system.channel.queue_unbind(f"{system.prefix}.test", f"{system.prefix}.events", "#")
    replica, = system.start()
    eventually("all are published", lambda: system.value("SELECT count(*) FROM outbox") == 0, 120)
    assert peak(replica) < MOST
