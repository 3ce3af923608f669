"""RabbitMQ restarted, hung, cut off, slow, out of memory, or with parts missing."""

import os
import signal
import time

import pytest

from harness.services import broker_process, services
from harness.waiting import eventually


@pytest.mark.experiment(5, "RabbitMQ restarted five times in a row, in order and killed")
@pytest.mark.parametrize("options", [(), ("--kill",)], ids=["in order", "killed"])
def test_restarts(experiment, options):
    experiment.start(2)
    experiment.wait_until_queues_are_kept()
    with experiment.flooding(200, per_second=15):
        for _ in range(experiment.size(2, 5)):
            services("restart", "rabbitmq", *options)
            experiment.recover(12)
    experiment.verdict()
    assert experiment.count("job_ledger WHERE attempts > 1") == 0


@pytest.mark.experiment(6, "RabbitMQ stopped in its tracks: hung, not dead")
def test_a_hung_broker(experiment):
    experiment.start(2)
    experiment.flood(200)
    os.kill(broker_process(), signal.SIGSTOP)
    time.sleep(experiment.size(25, 60))
    os.kill(broker_process(), signal.SIGCONT)
    experiment.recover(45)
    experiment.verdict()


@pytest.mark.experiment(7, "TCP: resets in mid-frame, half-open connections")
@pytest.mark.parametrize("setting", ["AMQP_URL", "DATABASE_URL"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_resets(experiment, setting, direction):
    proxy = experiment.proxy_before(setting)
    experiment.start(2)
    with experiment.flooding(200, per_second=25):
        for _ in range(8):
            getattr(proxy, direction).cut_after = experiment.random.randint(20, 4000)
            time.sleep(0.8)
    proxy.restore()
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_ledger WHERE attempts > 1") == 0


@pytest.mark.experiment(7, "TCP: resets in mid-frame, half-open connections")
@pytest.mark.parametrize("setting", ["AMQP_URL", "DATABASE_URL"])
def test_half_open(experiment, setting):
    proxy = experiment.proxy_before(setting)
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(2)
        proxy.is_dark = True
        time.sleep(experiment.size(15, 60))
        proxy.restore()
    experiment.recover(45)
    experiment.verdict(90)


@pytest.mark.experiment(7, "TCP: resets in mid-frame, half-open connections")
def test_verdicts_that_outlive_their_connection(experiment, proxy):
    """Jobs go on without the connection that brought them; their verdicts must not settle what the next one brings."""
    experiment.environment["AWS_ENDPOINT_URL"] = proxy.url
    proxy.after("CreateSnapshot", lambda: time.sleep(1.5))
    broker = experiment.proxy_before("AMQP_URL")
    for _ in range(experiment.size(3, 8)):
        experiment.flood(70, {"disk.create-snapshot": 1, "disk.create": 2})
        asked = proxy.count("CreateSnapshot")
        replicas = experiment.start(2)
        eventually("slow jobs run", lambda asked=asked: proxy.count("CreateSnapshot") >= asked + 8)
        broker.reset()
        time.sleep(1.8)
        for replica in replicas:
            replica.kill()
    proxy.after("CreateSnapshot", lambda: None)
    experiment.start(2)
    experiment.recover(20)
    experiment.verdict(120)


@pytest.mark.experiment(8, "200 ms latency and 5 % loss to RabbitMQ and PostgreSQL")
def test_a_bad_network(experiment):
    for setting in ("AMQP_URL", "DATABASE_URL"):
        proxy = experiment.proxy_before(setting)
        for flow in (proxy.up, proxy.down):
            flow.delay, flow.loss = 0.1, 0.05
    experiment.start(2)
    experiment.flood(experiment.size(200, 1000))
    experiment.recover(30)
    experiment.verdict(180)


@pytest.mark.experiment(9, "RabbitMQ's memory alarm: publishers blocked")
def test_a_memory_alarm(experiment):
    experiment.start(2)
    # None of these waits for another, which would go through the outbox.
    jobs = experiment.flood(200, {"disk.create": 9, "reservation.map-dns": 1})
    services("ctl", "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        eventually("all jobs are done though nobody may publish", lambda: experiment.count(
            "job_ledger WHERE state IN ('succeeded', 'dead')") >= len(jobs), 60)
        eventually("nothing is unacknowledged", lambda: experiment.waiting() == 0, 20)
    finally:
        services("ctl", "set_vm_memory_high_watermark", "0.6")
    experiment.recover()
    experiment.verdict()


@pytest.mark.experiment(10, "Queue, exchange or binding deleted under the worker")
@pytest.mark.parametrize("part", ["queue", "exchange", "binding"])
def test_a_part_of_the_topology_goes(experiment, part):
    """The jobs in a deleted queue are gone by the operator's hand; what comes after its return is not."""
    experiment.start(2)
    experiment.flood(100)
    eventually("all is done and told", lambda: experiment.backlog() == 0, 60)
    if part == "queue":
        experiment.channel.queue_delete(f"{experiment.prefix}.disks")
    elif part == "exchange":
        experiment.channel.exchange_delete(f"{experiment.prefix}.events")
    else:
        experiment.channel.queue_unbind(f"{experiment.prefix}.test", f"{experiment.prefix}.events", "#")
    time.sleep(experiment.size(3, 20))
    if part == "exchange":
        experiment.flood(50, {"reservation.map-dns": 1, "disk.create": 2})
        time.sleep(2)
    experiment.call("topology", "declare")
    experiment.channel.queue_bind(f"{experiment.prefix}.test", f"{experiment.prefix}.events", "#")
    experiment.flood(100)
    experiment.recover(45)
    experiment.verdict(90)
