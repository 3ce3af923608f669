"""A destination that answers nothing, beside others that do."""

import contextlib
import time

import pytest

from harness.services import evaluate
from harness.waiting import eventually


@contextlib.contextmanager
def subscriber_without_leader(experiment):
    """A subscriber's quorum queue that gets every event, and whose Raft server is stopped."""
    name = f"{experiment.prefix}.subscriber"
    server = f'{{binary_to_atom(<<"%2F_{name}">>), node()}}'
    experiment.channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    experiment.channel.queue_bind(name, f"{experiment.prefix}.events", "#")
    evaluate(f"ok = ra:stop_server(quorum_queues, {server}).")
    try:
        yield lambda: evaluate(f"ok = ra:restart_server(quorum_queues, {server}).")
    finally:
        experiment.channel.queue_delete(name)


@contextlib.contextmanager
def stream_without_answer(experiment):
    """The stream of all events, whose leader takes nothing in."""
    name = f"{experiment.prefix}.events.log"
    leader = (
        f'{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{name}">>)),'
        " #{leader_pid := Leader} = amqqueue:get_type_state(Queue),")
    evaluate(f"{leader} sys:suspend(Leader).")
    resumed = []
    try:
        yield lambda: resumed.append(evaluate(f"{leader} sys:resume(Leader)."))
    finally:
        if not resumed:
            evaluate(f"{leader} sys:resume(Leader).")


@pytest.mark.experiment(26, "A destination that confirms nothing: a subscriber's queue or the stream of events without a leader")
@pytest.mark.parametrize("destination", [subscriber_without_leader, stream_without_answer])
def test_a_destination_that_confirms_nothing(experiment, destination):
    experiment.start(2)
    experiment.flood(100)
    eventually("all is done and told", lambda: experiment.backlog() == 0, 60)
    with destination(experiment) as restore:
        experiment.flood(experiment.size(150, 1000), {"disk.create": 3, "reservation.map-dns": 1})
        time.sleep(3)
        # None of these was ever handed over in memory: they have to come out of the outbox.
        late = experiment.load.draw(20, {"disk.create": 1})
        for job in late:
            experiment.enqueue(job, 0.5)
        started = time.monotonic()
        ids = [job.id for job in late]
        eventually("jobs of the outbox are done though events are not confirmed", lambda: experiment.count(
            "job_ledger WHERE state = 'succeeded' AND job_id = ANY(%s::uuid[])", ids) == len(ids), 60)
        experiment.note = f"jobs enqueued in SQL beside {destination.__name__} were done after {time.monotonic() - started:.1f} s"
        restore()
        experiment.recover(60)
        row = experiment.verdict(180)
    assert (row.lost, row.doubled) == (0, 0)
