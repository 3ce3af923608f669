"""What the replicas tell at /metrics, against the contract, the ledger, the broker, AWS and a real Prometheus."""

import collections
import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
import yaml

from EndToEnd.operation.test_monitoring import CONTRACT, LABELS, METRICS, RULES, nodes, promql_parser, queries, quoted
from harness.admin_port import Scrape
from harness.aws.cloud import Cloud
from harness.aws.proxy import AWSProxy
from harness.kubernetes.server import KubernetesServer
from harness.machine import scaled
from harness.network.loopback import open_url
from harness.waiting import eventually
from harness.worker_system import WorkerSystem

pytestmark = pytest.mark.xdist_group("metrics")

DISK = {"user_id": "alice", "disk_name": "home"}
KINDS = set(quoted(LABELS["kind"]))
FROM_THE_START = {
    "gpudev_jobs_total", "gpudev_jobs_dead_total", "gpudev_starts_quarantined_total",
    "messaging_client_sent_messages_total"}
OPENTELEMETRY = 'db_client_connection_count non-histogram and non-summary metrics should not have "_count" suffix'
"""The one complaint: that name is OpenTelemetry's."""
AT_REST = (
    "SELECT NOT EXISTS (SELECT FROM job_ledger WHERE state IN ('running', 'waiting'))"
    " AND NOT EXISTS (SELECT FROM outbox)")


class Prometheus:
    """A real one, on a port of its own, that scrapes the replicas as those of one Deployment."""

    def __init__(self, directory, ports: list[int]) -> None:
        targets = [
            {"targets": [f"127.0.0.1:{port}"],
             "labels": {"namespace": "gpudev-worker", "pod": f"worker-{number}", "container": "worker"}}
            for number, port in enumerate(ports)]
        (directory / "rules.yml").write_text(yaml.safe_dump(RULES))
        (directory / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "gpudev-worker", "static_configs": targets}]}))
        self._log = directory / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                 "--web.listen-address=127.0.0.1:0"], cwd=directory, stdout=log, stderr=log)
        found = eventually("Prometheus listens", lambda: re.search(
            r'"Listening on" address=(127\.0\.0\.1:\d+)', self._log.read_text()))
        self._url = f"http://{found[1]}/api/v1/"
        eventually("it is ready", lambda: self._log.read_text().count("ready to receive web requests"))

    def ask(self, path: str, **parameters: str):
        request = f"{self._url}{path}?{urllib.parse.urlencode(parameters)}"
        with open_url(request, timeout=scaled(10)) as answer:
            told = json.load(answer)
        assert told["status"] == "success" and not told.get("warnings"), told
        return told["data"]

    def value(self, query: str) -> list[dict]:
        return self.ask("query", query=query)["result"]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(scaled(20))


class Observation:
    """Two replicas with a varied workload behind them: what they told, and what others know of it."""

    def __init__(self, directory) -> None:
        cloud = Cloud()
        self.proxy = AWSProxy(os.environ["GPUDEV_TEST_AWS_ENDPOINT"])
        self.cluster = KubernetesServer(directory)
        self.cluster.add_node("node-1", "t4", 4)
        self.system = WorkerSystem(directory, cloud.settings() | self.cluster.settings() | {
            "AWS_ENDPOINT_URL": self.proxy.url, "WORKER_CONCURRENCY": "16"})
        self.system.start(2)
        self.ports = [replica.admin for replica in self.system.replicas]
        self.first = [port.scrape() for port in self.ports]
        self.prometheus = Prometheus(directory, [port.port for port in self.ports])
        eventually("Prometheus knows both", lambda: len(self.prometheus.value("up == 1")) == 2)
        self._work(cloud)
        eventually("all is done", lambda: self.system.value(AT_REST))
        eventually("and counted", lambda: not any(port.scrape().total("gpudev_jobs_running") for port in self.ports))
        self.text = [port.ask("/metrics").text for port in self.ports]
        self.last = [Scrape(text) for text in self.text]

    def _work(self, cloud: Cloud) -> None:
        system = self.system
        for name in ("home", "throttled"):
            system.add_disk("alice", name, ebs_volume_id=cloud.create_volume("alice", name))
        self.proxy.refuse("DescribeVolumes", 503, "RequestLimitExceeded")
        retried = system.publish("disk.create-snapshot", DISK | {"disk_name": "throttled"})
        eventually("a try has failed", lambda: system.rows("SELECT FROM job_attempts"))
        self.proxy.restore()
        eventually("another has not", lambda: (system.state(retried) or [None])[0] == "succeeded")
        self.proxy.delay("CreateSnapshot", 0.3)
        for _ in range(2):
            system.publish("disk.create-snapshot", DISK)
        created = [
            system.publish("disk.create", DISK | {"disk_name": f"d{number}"}, timestamp=int(time.time()))
            for number in range(60)]
        for job in created:
            system.event(job)
        system.publish("disk.create", DISK | {"disk_name": "d1"}, created[1])
        system.publish("disk.create", DISK | {"disk_name": "d1"})
        system.publish("disk.create", b"{")
        system.publish("disk.create", b"[]")
        system.publish("disk.create-snapshot", DISK | {"disk_name": "nowhere"})
        system.publish("disk.shred", {}, checked=False)
        system.publish("capacity.refresh", {})
        self.reconciled = system.publish("disk.reconcile-all", {})
        system.event(self.reconciled)
        eventually("the duplicate is dropped", lambda: sum(
            port.scrape().total("gpudev_duplicates_total") for port in self.ports))
        eventually("the unknown one has died", lambda: system.depth("disks.dead") == 5)

    def by(self, series: str, *names: str, **labels: str) -> collections.Counter:
        """Of both replicas together; what is zero is left out."""
        return sum((scrape.by(series, *names, **labels) for scrape in self.last), collections.Counter())

    def rows(self, query: str) -> collections.Counter:
        found = collections.Counter()
        for *key, count in self.system.rows(query):
            key[0] = key[0] if key[0] in KINDS else "unknown"
            found[tuple(key)] += count
        return found

    def close(self) -> None:
        self.prometheus.close()
        print(self.system.logs())
        self.system.close()
        self.proxy.close()
        self.cluster.close()


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    observed = Observation(tmp_path_factory.mktemp("metrics"))
    yield observed
    observed.close()


# ---- the contract -----------------------------------------------------------------------------------------


def test_prometheus_has_nothing_to_say_against_it(observed):
    for text in observed.text:
        result = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=scaled(30), check=False)
        assert result.stdout == "" and result.stderr.splitlines() in ([], [OPENTELEMETRY]), result.stderr


def test_each_family_is_in_the_contract_with_its_type_and_labels(observed):
    for scrape in observed.last:
        for name, samples in scrape.samples.items():
            assert scrape.types[name] == METRICS[name].type
            for sample in samples:
                extra = {"le"} if sample.name.endswith("_bucket") else set()
                assert {label for label, _ in sample.labels} == METRICS[name].labels | extra, sample


def test_each_metric_of_the_contract_is_told(observed):
    told = set().union(*(scrape.types for scrape in observed.last))
    assert METRICS.keys() == told


def closed_set(label: str, prefix: str) -> set[str]:
    values = set(quoted(LABELS[label]))
    if label == "messaging_destination_name":
        values |= set(quoted(LABELS["queue"]))
    return values | {value.replace("gpudev.", f"{prefix}.", 1) for value in values if value.startswith("gpudev.")}


def test_labels_have_the_values_of_the_contract_and_name_nobody(observed):
    version = observed.ports[0].ask("/version").json["version"]
    for scrape in observed.last:
        for samples in scrape.samples.values():
            for label, value in {pair for sample in samples for pair in sample.labels} - {("version", version)}:
                if label == "le":
                    continue
                is_call = label == "operation" and re.fullmatch(r"[A-Z][A-Za-z0-9]+", value)
                assert is_call or value in closed_set(label, observed.system.prefix), (label, value)
                assert not re.search(r"[0-9a-f]{8}-|vol-|snap-|alice|127\.0\.0\.1|home", value), value


def test_what_stands_at_zero_does_so_from_the_start(observed):
    """Before any job: each combination of labels."""
    for scrape in observed.first:
        for name in FROM_THE_START:
            labels = [label for label in METRICS[name].labels if label in ("kind", "fate", "reason", "outcome")]
            combinations = 1
            for label in labels:
                combinations *= len(quoted(LABELS[label]))
            assert len(scrape.samples[name]) == combinations * (3 if "outcome" in labels else 1)
            assert set(scrape.samples[name].values()) == {0}


def bounds(metric: str) -> list[float]:
    row = re.search(rf"^\| `{metric}` \| histogram \(([^)]+)\)", CONTRACT, re.MULTILINE)
    return [float(bound) for bound in row[1].split(", ")]


def test_histograms_have_the_buckets_of_the_contract(observed):
    for scrape in observed.last:
        for name in (name for name, kind in scrape.types.items() if kind == "histogram"):
            found = {float(dict(sample.labels)["le"]) for sample in scrape.samples[name] if "le" in dict(sample.labels)}
            assert sorted(found) == [*bounds(name), float("inf")]


def test_what_counts_only_grows(observed):
    for before, after in zip(observed.first, observed.last, strict=True):
        assert before.growing.keys() <= after.growing.keys()
        assert all(value <= after.growing[sample] for sample, value in before.growing.items())


# ---- the truth --------------------------------------------------------------------------------------------


def test_counts_of_jobs_are_those_of_the_ledger(observed):
    expected = observed.rows("SELECT kind, 'succeeded', count(*) FROM job_ledger WHERE state = 'succeeded' GROUP BY 1")
    expected += observed.rows("SELECT kind, 'dead', sum(deaths)::int FROM job_ledger GROUP BY 1")
    expected += observed.rows("SELECT kind, 'snooze', sum(snoozes)::int FROM job_ledger GROUP BY 1")
    expected += observed.rows(
        "SELECT kind, 'retry', count(*) FROM job_attempts JOIN job_ledger USING (job_id) WHERE fate = 'retry' GROUP BY 1")
    expected["none", "dead"] = 1
    counted = observed.by("gpudev_jobs_total", "kind", "fate")
    assert counted == +expected
    assert {fate for _, fate in counted} == {"succeeded", "retry", "snooze", "dead"}
    measured = observed.by("messaging_process_duration_seconds_count", "kind", "fate")
    assert measured == counted - collections.Counter({("none", "dead"): 1})
    assert observed.by("gpudev_duplicates_total", "kind") == {"disk.create": 1}
    assert observed.by("gpudev_job_wait_seconds_count")[()] >= 60


def test_deaths_are_those_of_the_letters(observed):
    letters = json.loads(observed.system.call("dead", "list", "--json"))
    assert observed.by("gpudev_jobs_dead_total", "reason") == collections.Counter(
        letter["reason"] for letter in letters)


def test_what_was_published_is_what_arrived(observed):
    destination, outcome = "messaging_destination_name", "outcome"
    sent = observed.by("messaging_client_sent_messages_total", destination, outcome)
    prefix = observed.system.prefix
    assert {outcome for _, outcome in sent} == {"confirmed"}
    assert sent[f"{prefix}.events", "confirmed"] == len(observed.system.events())
    assert sent[f"{prefix}.dead", "confirmed"] == observed.system.depth("disks.dead")


def test_calls_are_those_that_aws_and_the_cluster_saw(observed):
    calls = observed.by("gpudev_aws_calls_total", "operation", service="ec2")
    assert calls == {name: observed.proxy.count(name) for name in calls} and calls["CreateSnapshot"] == 3
    assert observed.by("gpudev_aws_calls_total", "status", operation="DescribeVolumes")["throttled"] > 0
    assert observed.by("gpudev_aws_calls_total")[()] == observed.by("gpudev_aws_call_duration_seconds_count")[()]
    assert observed.by("gpudev_kubernetes_calls_total")[()] == len(observed.cluster.seen)


def test_the_reconcilers_numbers_are_those_of_its_event(observed):
    data = observed.system.event(observed.reconciled)["data"]
    numbers = {name: value for name, value in data.items() if type(value) is int}
    (told,) = [scrape.by("gpudev_reconcile_items", "statistic") for scrape in observed.last
               if "gpudev_reconcile_items" in scrape.types]
    assert told == numbers


def test_gauges_are_what_postgresql_and_the_broker_say(observed):
    """Each replica asks every quarter of a minute."""
    system = observed.system
    system.rows("SELECT enqueue_job('disk.create', '{}', run_at => now() + interval '1 hour') FROM generate_series(1, 3)")

    def is_told() -> bool:
        scrapes = [port.scrape() for port in observed.ports]
        return all(scrape.total("gpudev_outbox_rows", destination="jobs", state="later") == 3
                   and scrape.total("gpudev_queue_messages", queue=f"{system.prefix}.disks.dead") == 5
                   for scrape in scrapes)

    eventually("both tell what there is", is_told)
    for scrape in (port.scrape() for port in observed.ports):
        assert scrape.by("gpudev_outbox_rows")[()] == 3 == system.value("SELECT count(*) FROM outbox")
        for queue, messages in scrape.by("gpudev_queue_messages", "queue").items():
            assert messages == system.depth(queue.removeprefix(f"{system.prefix}."))
        for queue, consumers in scrape.by("gpudev_queue_consumers", "queue").items():
            assert consumers == system.consumers(queue.removeprefix(f"{system.prefix}."))
        oldest = scrape.total("gpudev_dead_oldest_seconds", queue=f"{system.prefix}.disks.dead")
        died = system.value("SELECT extract(epoch FROM now() - min(finished_at)) FROM job_ledger WHERE state = 'dead'")
        assert 0 < oldest <= died
    system.rows("DELETE FROM outbox")


# ---- a real Prometheus ------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [pytest.param(query, id=who) for who, query in queries()])
def test_prometheus_answers_each_query(observed, query):
    observed.prometheus.value(query)
    names = {node.name for node in nodes(query) if isinstance(node, promql_parser.VectorSelector)} - {"ALERTS"}
    for name in names:
        eventually(f"it has {name}", lambda: observed.prometheus.value(f'{{__name__="{name}"}}'))  # noqa: B023


def test_prometheus_can_evaluate_each_rule(observed):
    def rules() -> list[dict]:
        return [rule for group in observed.prometheus.ask("rules")["groups"] for rule in group["rules"]]

    eventually("all were evaluated", lambda: all(rule["health"] != "unknown" for rule in rules()))
    assert {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"} == {}
    assert len(rules()) == sum(len(group["rules"]) for group in RULES["groups"])
