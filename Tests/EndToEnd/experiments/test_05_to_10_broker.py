"""RabbitMQ restarted, hung, cut off, slow, out of memory, or with parts missing."""

import os
import signal
import time

import pytest
from system import eventually
from world import broker_process, services


@pytest.mark.experiment(5, "RabbitMQ restarted five times in a row, in order and killed")
@pytest.mark.parametrize("options", [(), ("--kill",)], ids=["in order", "killed"])
def test_restarts(world, options):
    world.start(2)
    world.wait_until_queues_are_kept()
    with world.flooding(200, per_second=15):
        for _ in range(world.size(2, 5)):
            services("restart", "rabbitmq", *options)
            world.recover(12)
    world.verdict()
    assert world.count("job_ledger WHERE attempts > 1") == 0


@pytest.mark.experiment(6, "RabbitMQ stopped in its tracks: hung, not dead")
def test_a_hung_broker(world):
    world.start(2)
    world.flood(200)
    os.kill(broker_process(), signal.SIGSTOP)
    time.sleep(world.size(25, 60))
    os.kill(broker_process(), signal.SIGCONT)
    world.recover(45)
    world.verdict()


@pytest.mark.experiment(7, "TCP: resets in mid-frame, half-open connections")
@pytest.mark.parametrize("setting", ["AMQP_URL", "DATABASE_URL"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_resets(world, setting, direction):
    link = world.link(setting)
    world.start(2)
    with world.flooding(200, per_second=25):
        for _ in range(8):
            getattr(link, direction).cut_after = world.random.randint(20, 4000)
            time.sleep(0.8)
    link.restore()
    world.recover()
    world.verdict()
    assert world.count("job_ledger WHERE attempts > 1") == 0


@pytest.mark.experiment(7, "TCP: resets in mid-frame, half-open connections")
@pytest.mark.parametrize("setting", ["AMQP_URL", "DATABASE_URL"])
def test_half_open(world, setting):
    link = world.link(setting)
    world.start(2)
    with world.flooding(200, per_second=40):
        time.sleep(2)
        link.is_dark = True
        time.sleep(world.size(15, 60))
        link.restore()
    world.recover(45)
    world.verdict(90)


@pytest.mark.experiment(7, "TCP: resets in mid-frame, half-open connections")
def test_verdicts_that_outlive_their_connection(world, proxy):
    """Jobs go on without the connection that brought them; their verdicts must not settle what the next one brings."""
    world.environment["AWS_ENDPOINT_URL"] = proxy.url
    proxy.after("CreateSnapshot", lambda: time.sleep(1.5))
    link = world.link("AMQP_URL")
    for _ in range(world.size(3, 8)):
        world.flood(70, {"disk.create-snapshot": 1, "disk.create": 2})
        asked = proxy.count("CreateSnapshot")
        replicas = world.start(2)
        eventually("slow jobs run", lambda asked=asked: proxy.count("CreateSnapshot") >= asked + 8)
        link.reset()
        time.sleep(1.8)
        for replica in replicas:
            replica.kill()
    proxy.after("CreateSnapshot", lambda: None)
    world.start(2)
    world.recover(20)
    world.verdict(120)


@pytest.mark.experiment(8, "200 ms latency and 5 % loss to RabbitMQ and PostgreSQL")
def test_a_bad_network(world):
    for setting in ("AMQP_URL", "DATABASE_URL"):
        link = world.link(setting)
        for flow in (link.up, link.down):
            flow.delay, flow.loss = 0.1, 0.05
    world.start(2)
    world.flood(world.size(200, 1000))
    world.recover(30)
    world.verdict(180)


@pytest.mark.experiment(9, "RabbitMQ's memory alarm: publishers blocked")
def test_a_memory_alarm(world):
    world.start(2)
    # None of these waits for another, which would go through the outbox.
    jobs = world.flood(200, {"disk.create": 9, "reservation.map-dns": 1})
    services("ctl", "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        eventually("all jobs are done though nobody may publish", lambda: world.count(
            "job_ledger WHERE state IN ('succeeded', 'dead')") >= len(jobs), 60)
        eventually("nothing is unacknowledged", lambda: world.waiting() == 0, 20)
    finally:
        services("ctl", "set_vm_memory_high_watermark", "0.6")
    world.recover()
    world.verdict()


@pytest.mark.experiment(10, "Queue, exchange or binding deleted under the worker")
@pytest.mark.parametrize("part", ["queue", "exchange", "binding"])
def test_a_part_of_the_topology_goes(world, part):
    """The jobs in a deleted queue are gone by the operator's hand; what comes after its return is not."""
    world.start(2)
    world.flood(100)
    eventually("all is done and told", lambda: world.backlog() == 0, 60)
    if part == "queue":
        world.channel.queue_delete(f"{world.prefix}.disks")
    elif part == "exchange":
        world.channel.exchange_delete(f"{world.prefix}.events")
    else:
        world.channel.queue_unbind(f"{world.prefix}.test", f"{world.prefix}.events", "#")
    time.sleep(world.size(3, 20))
    if part == "exchange":
        world.flood(50, {"reservation.map-dns": 1, "disk.create": 2})
        time.sleep(2)
    world.call("topology", "declare")
    world.channel.queue_bind(f"{world.prefix}.test", f"{world.prefix}.events", "#")
    world.flood(100)
    world.recover(45)
    world.verdict(90)
