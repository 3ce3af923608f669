"""Traces: from the sender through the job's calls to the event, and out to a collector."""

import json
import time

import pytest

from harness.machine import scaled
from harness.trace_collector import Collector
from harness.waiting import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENDER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SENDER}-01"
DISK = {"user_id": "alice", "disk_name": "home"}


@pytest.fixture
def collector(system):
    """A collector that the workers of `system` know."""
    collector = Collector()
    system.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    yield collector
    collector.close()


def starts(collector: Collector, job: str, count: int = 1):
    """The spans of the job's starts, once there are so many."""
    return eventually(
        "its spans are exported", lambda: len(found := collector.processed(job)) >= count and found)


def log_lines(system, job: str) -> list[dict]:
    lines = [json.loads(line) for line in system.replicas[0].log.read_text().splitlines()]
    return [line for line in lines if line.get("job.id") == job]


def test_a_job_continues_its_senders_trace(system, cloud, collector):
    system.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    system.start()
    job = system.publish(
        "disk.create-snapshot", DISK, correlation_id="order-7",
        headers={"traceparent": TRACEPARENT, "tracestate": "vendor=7"})
    event = system.event(job)
    [start] = starts(collector, job)
    assert (start.trace, start.parent, start.links, start.error) == (TRACE, SENDER, [], None)
    assert start.name == f"process {system.prefix}.disks"
    assert start.attributes == {
        "messaging.system": "rabbitmq", "messaging.operation.name": "process", "messaging.operation.type": "process",
        "messaging.destination.name": f"{system.prefix}.disks", "messaging.message.id": job,
        "messaging.rabbitmq.destination.routing_key": "disk.create-snapshot",
        "messaging.message.conversation_id": "order-7", "messaging.message.body.size": len(json.dumps(DISK)),
        "gpudev.job.kind": "disk.create-snapshot", "gpudev.job.fate": "succeeded", "gpudev.job.attempt": 1}
    assert event["traceparent"] == f"00-{TRACE}-{start.id}-01" and event["tracestate"] == "vendor=7"

    calls = eventually("the calls are exported", lambda: collector.under(start))
    assert {span.kind for span in calls} == {"client"} and all(span.seconds <= start.seconds for span in calls)
    assert {span.name for span in calls} >= {"ec2.DescribeSnapshots", "ec2.CreateSnapshot"}
    assert "SELECT set_config; INSERT job_ledger; SELECT job_ledger" in {span.name for span in calls}
    [creation] = [span for span in calls if span.name == "ec2.CreateSnapshot"]
    assert creation.attributes == {
        "rpc.system.name": "aws-api", "rpc.method": "ec2.CreateSnapshot", "http.request.method": "POST",
        "server.address": "127.0.0.1", "server.port": int(system.environment["AWS_ENDPOINT_URL"].rpartition(":")[2]),
        "http.response.status_code": 200}
    queries = [span for span in calls if "db.system.name" in span.attributes]
    assert {span.attributes["db.system.name"] for span in queries} == {"postgresql"}
    assert not any("alice" in json.dumps(span.attributes, default=str) for span in queries), "values are nobody's business"
    assert any("$1" in span.attributes["db.query.text"] for span in queries)

    lines = log_lines(system, job)
    assert {(line["trace_id"], line["span_id"]) for line in lines} == {(TRACE, start.id)}
    assert {resource["service.name"] for resource in collector.resources} == {"gpudev-worker"}
    assert all(resource["service.version"] for resource in collector.resources)


def test_a_job_that_only_writes_rows_is_traced_too(system, collector):
    system.start()
    job = system.publish("disk.create", DISK, headers={"traceparent": TRACEPARENT})
    [start] = starts(collector, job)
    assert (start.trace, start.parent) == (TRACE, SENDER)
    assert [span.name for span in collector.under(start)] == ["INSERT job_ledger; INSERT disks; INSERT outbox"]


def test_a_retry_has_a_trace_of_its_own_that_is_linked(proxied, cloud, proxy, collector):
    system = proxied
    system.add_disk("alice", "home", ebs_volume_id=cloud.create_volume("alice", "home"))
    proxy.refuse("CreateSnapshot", 400, "SnapshotCreationPerVolumeRateExceeded", times=10)
    system.start()
    job = system.publish("disk.create-snapshot", DISK, headers={"traceparent": TRACEPARENT})

    def hurried():
        system.hurry()
        return system.events_of(job)

    [event, *_] = eventually("the job succeeds in the end", hurried)
    eventually("the last start is exported", lambda: any(
        span.attributes["gpudev.job.fate"] == "succeeded" for span in collector.processed(job)))
    first, *others = collector.processed(job)
    assert (first.trace, first.parent, first.links) == (TRACE, SENDER, [])
    assert first.attributes["gpudev.job.fate"] == "retry"
    assert "SnapshotCreationPerVolumeRateExceeded" in first.error
    failed = [span for span in collector.under(first) if span.name == "ec2.CreateSnapshot"]
    assert failed and all(span.error for span in failed)
    assert {span.attributes["error.type"] for span in failed} == {"throttled"}
    last = others[-1]
    assert all(other.parent == "" and other.links == [(TRACE, SENDER)] for other in others)
    assert len({other.trace for other in [first, *others]}) == len(others) + 1
    assert last.attributes["gpudev.job.fate"] == "succeeded" and last.attributes["gpudev.job.attempt"] >= 2
    assert event["traceparent"] == f"00-{last.trace}-{last.id}-01"


def test_a_job_without_a_trace_begins_one(system, collector):
    system.start()
    job = system.publish("disk.create", DISK, headers={"traceparent": "00-not-a-trace"})
    [start] = starts(collector, job)
    assert (start.parent, start.links) == ("", [])
    assert system.event(job)["traceparent"] == f"00-{start.trace}-{start.id}-01"


def test_what_the_sender_does_not_record_is_not_recorded(system, collector):
    system.start()
    silent = system.publish("disk.create", DISK, headers={"traceparent": TRACEPARENT[:-2] + "00"})
    trace, span, flags = system.event(silent)["traceparent"].split("-")[1:]
    assert (trace, flags) == (TRACE, "00") and span != SENDER
    told = system.publish("disk.undelete", DISK)
    starts(collector, told)
    assert not collector.of(TRACE)


def test_a_dead_job_is_an_error(system, collector):
    system.start()
    job = system.publish("disk.undelete", DISK | {"disk_name": "none"}, headers={"traceparent": TRACEPARENT})
    assert system.event(job)["type"] == "disk.undelete.failed"
    [start] = starts(collector, job)
    assert start.attributes["gpudev.job.fate"] == "dead" and start.error
    properties, _ = system.letter()
    assert properties.headers["traceparent"] == TRACEPARENT, "a letter is as it came"


def test_sql_can_enqueue_into_a_trace(system, collector):
    system.start()
    enqueue = "SELECT enqueue_job('disk.create', '{\"user_id\": \"alice\", \"disk_name\": \"home\"}', NULL, NULL, %s)::text"
    job = system.value(enqueue, TRACEPARENT)
    [start] = starts(collector, job)
    assert (start.trace, start.parent) == (TRACE, SENDER)
    untraced = system.value(enqueue, "something else")
    [start] = starts(collector, untraced)
    assert start.trace != TRACE and start.parent == ""


def test_a_command_enqueues_into_its_callers_trace(system, collector):
    system.start()
    for number, more in enumerate([[], ["--at", "2020-01-01T00:00:00Z"]]):
        payload = json.dumps(DISK | {"disk_name": f"d{number}"})
        job = system.call("enqueue", "disk.create", payload, *more, TRACEPARENT=TRACEPARENT)
        [start] = starts(collector, job)
        assert (start.trace, start.parent) == (TRACE, SENDER)


def test_a_follow_up_belongs_to_the_trace(system, cluster, collector):
    """Whatever a tear-down frees, GPUs are counted again."""
    system.add_reservation("r-1", "active")
    system.start(WORKER_QUEUES="capacity,reservations")
    job = system.publish(
        "reservation.tear-down", {"reservation_id": "r-1", "status": "cancelled"},
        headers={"traceparent": TRACEPARENT})
    [start] = starts(collector, job)

    def follow_ups():
        return [span for span in collector.under(start) if span.kind == "consumer"]

    [follow_up] = eventually("the other job is traced", follow_ups)
    assert follow_up.attributes["gpudev.job.kind"] == "capacity.refresh" and follow_up.trace == TRACE
    calls = eventually("its calls are exported", lambda: collector.under(follow_up))
    assert "kubernetes.nodes.list" in {call.name for call in calls}


def test_nothing_is_sent_where_nobody_collects(system, collector):
    system.start(OTEL_TRACES_EXPORTER="none")
    job = system.publish("disk.create", DISK, headers={"traceparent": TRACEPARENT})
    assert system.event(job)["traceparent"] == TRACEPARENT
    assert all("trace_id" not in line for line in log_lines(system, job))
    system.replicas[0].stop()
    assert not collector.headers


def test_the_last_spans_go_out_at_the_end(system, collector):
    [replica] = system.start()
    job = system.publish("disk.create", DISK)
    system.event(job)
    assert replica.stop() == 0
    assert collector.processed(job)


@pytest.mark.parametrize("trouble", ["away", "busy", "refusing", "silent"])
def test_a_collector_in_trouble_harms_no_job(system, collector, trouble):
    settings = {}
    if trouble == "away":
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    elif trouble == "busy":
        collector.answers = [(503, b"")] * 2
    elif trouble == "refusing":
        collector.answers = [(400, b""), (200, b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}')]
    else:
        collector.silence, settings["OTEL_EXPORTER_OTLP_TIMEOUT"] = 60.0, "500"
    [replica] = system.start(**settings)
    jobs = [system.publish("disk.create", DISK | {"disk_name": f"d{number}"}) for number in range(20)]
    for job in jobs:
        system.event(job)
    if trouble == "busy":
        for job in jobs:
            starts(collector, job)
    else:
        eventually("the loss is told", lambda: "spans were lost" in replica.log.read_text())
    if trouble == "refusing":
        later = eventually("another request is refused in part", lambda: len(collector.headers) >= 2 or not system.publish(
            "disk.undelete", DISK))
        assert later
        eventually("the reason is told", lambda: "too old" in replica.log.read_text())
    begun = time.monotonic()
    assert replica.stop() == 0
    assert time.monotonic() - begun < scaled(8)


def test_settings_of_opentelemetry(system, collector):
    system.start(
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20key, x-tenant=7", OTEL_SERVICE_NAME="disks",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,k8s.pod.name=p-1")
    job = system.publish("disk.create", DISK)
    starts(collector, job)
    assert collector.headers[0]["authorization"] == "Bearer key" and collector.headers[0]["x-tenant"] == "7"
    assert collector.resources[0].items() >= {
        "service.name": "disks", "deployment.environment.name": "test", "k8s.pod.name": "p-1"}.items()
    assert "Bearer" not in system.replicas[0].log.read_text()


def test_wrong_settings_of_opentelemetry_are_named_all_at_once(system):
    result = system.run(
        "run", OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317", OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        OTEL_EXPORTER_OTLP_TIMEOUT="soon", OTEL_TRACES_SAMPLER="often", OTEL_RESOURCE_ATTRIBUTES="x")
    assert result.returncode == 78
    for name in (
            "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_TRACES_SAMPLER", "OTEL_RESOURCE_ATTRIBUTES"):
        assert f"{name} must be" in result.stderr


def test_a_share_of_all_traces(system, collector):
    system.start(OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5")
    jobs = [system.publish("disk.create", DISK | {"disk_name": f"d{number}"}) for number in range(100)]
    for job in jobs:
        system.event(job)
    system.replicas[0].stop()
    assert 20 < sum(bool(collector.processed(job)) for job in jobs) < 80
