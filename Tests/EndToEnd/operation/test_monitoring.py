"""The contract of the metrics, and those who rely on it: alert rules, dashboard, runbook."""

import json
import re
import shutil
import subprocess
from typing import NamedTuple

import promql_parser
import pytest
import yaml

from harness.machine import scaled
from harness.repository import ROOT

MONITORING = ROOT / "k8s/monitoring"

# What Prometheus adds to every series that it takes from a pod.
SCRAPED = {"namespace", "pod", "container", "job", "instance"}
# Prometheus' own series.
ALERTS = {"ALERTS": {"alertname", "alertstate", "severity"}}


class Metric(NamedTuple):
    name: str
    type: str
    unit: str
    labels: set[str]


def rows(text: str, columns: int) -> list[list[str]]:
    """The cells of all tables with so many columns, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if len(row) == columns and row[0].startswith("`")]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


CONTRACT = (ROOT / "docs/metrics.md").read_text()
METRICS = {
    quoted(name)[0]: Metric(quoted(name)[0], kind.split()[0], unit, set(quoted(labels)))
    for name, kind, unit, labels, _, _ in rows(CONTRACT, 6)
}
LABELS = {quoted(name)[0]: values for name, values in rows(CONTRACT, 2)}
RULES = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]
ALL_RULES = [rule for group in RULES["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
RUNBOOK = (ROOT / "docs/operations.md").read_text()


def swift(path: str) -> str:
    return (ROOT / "Sources" / path).read_text()


def code_words(path: str) -> set[str]:
    """The cases of the enumeration `Code` in an error's file."""
    body = re.search(r"enum Code: String[^{]*\{(.+?)\n    \}", swift(path), re.DOTALL)[1]
    return {word for line in re.findall(r"^ +case (.+)$", body, re.MULTILINE) for word in re.split(r", ", line)}


# ---- the contract -----------------------------------------------------------------------------------------


def test_each_metric_is_named_once_and_as_prometheus_wants():
    assert len(METRICS) == len(rows(CONTRACT, 6)) > 30
    for metric in METRICS.values():
        assert metric.type in ("counter", "gauge", "histogram")
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric
        assert ("seconds" in metric.unit) == ("_seconds" in metric.name), metric
        assert ("bytes" in metric.unit) == ("_bytes" in metric.name), metric


def test_each_label_has_its_values_and_is_used():
    assert set().union(*(metric.labels for metric in METRICS.values())) == LABELS.keys()


def test_kinds_are_those_that_have_a_schema():
    kinds = {path.stem for path in (ROOT / "schemas/jobs").glob("*.json")}
    assert set(quoted(LABELS["kind"])) == kinds | {"unknown", "none"}


def test_reasons_are_those_of_a_dead_letter():
    declared = swift("Jobs/DeadLetters/FinalFailure.swift")
    plain = re.search(r"case (malformed[a-z, ]+)\n", declared)[1].split(", ")
    assert set(quoted(LABELS["reason"])) == {*plain, *re.findall(r'case \w+ = "([a-z-]+)"', declared)}


def test_services_are_those_of_the_client():
    body = re.search(r"enum AWSService[^{]*\{(.+?)\n\n", swift("AWS/AWSService.swift"), re.DOTALL)[1]
    cases = re.findall(r'case (\w+)(?: = "(\w+)")?', body)
    assert set(quoted(LABELS["service"])) == {raw or name for name, raw in cases}


def test_statuses_are_the_codes_of_the_errors():
    codes = code_words("AWS/AWSError.swift") | code_words("Kubernetes/KubernetesError.swift")
    assert codes | {"ok"} == set(quoted(LABELS["status"]))


def test_statistics_are_the_numbers_of_the_reconcilers_event():
    event = json.loads((ROOT / "schemas/events/disk.reconcile-all.json").read_text())
    numbers = {name for name, field in event["properties"].items() if field["type"] == "integer"}
    assert set(quoted(LABELS["statistic"])) - {"disk.reconcile-all"} == numbers


# ---- those who ask ----------------------------------------------------------------------------------------


def queries() -> list[tuple[str, str]]:
    asked = [(f"rule {rule['alert']}", rule["expr"]) for rule in ALL_RULES]
    for panel in DASHBOARD["panels"]:
        asked += [(f"panel {panel['title']}", target["expr"]) for target in panel.get("targets", [])]
    asked += [("annotation", note["expr"]) for note in DASHBOARD["annotations"]["list"]]
    # Grafana's variables stand for a duration and for a value.
    return [(who, query.replace("$__rate_interval", "5m").replace("$namespace", ".+")) for who, query in asked]


def nodes(query: str) -> list[promql_parser.Expr]:
    found = []
    promql_parser.walk(promql_parser.parse(query), pre_visit=lambda node: found.append(node))
    return found


def known_labels(series: str) -> set[str]:
    """The labels of a series; fails if the contract does not have it."""
    if series in ALERTS:
        return ALERTS[series]
    name = re.sub("_(bucket|sum|count)$", "", series)
    if series not in METRICS and name in METRICS and METRICS[name].type == "histogram":
        return METRICS[name].labels | SCRAPED | ({"le"} if series.endswith("_bucket") else set())
    assert series in METRICS, f"{series} is not in docs/metrics.md"
    assert METRICS[series].type != "histogram", f"{series} is a histogram: its series have suffixes"
    return METRICS[series].labels | SCRAPED


@pytest.mark.parametrize("query", [pytest.param(query, id=who) for who, query in queries()])
def test_a_query_asks_for_what_there_is(query):
    selectors = [node for node in nodes(query) if isinstance(node, promql_parser.VectorSelector)]
    assert selectors
    for selector in selectors:
        labels = known_labels(selector.name)
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels, f"{selector.name} has no label {matcher.name}"
            check_value(matcher.name, matcher.value)
    everything = set().union(*(known_labels(selector.name) for selector in selectors))
    for node in nodes(query):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            assert set(node.modifier.labels) <= everything


def check_value(label: str, value: str) -> None:
    """Each alternative of a matcher must be a value that the label can have."""
    if label not in LABELS or re.search(r"[\[+*]", value):
        return
    for alternative in value.split("|"):
        assert alternative in quoted(LABELS[label]), f"{label} is never {alternative}"


def test_everything_that_is_measured_is_shown_or_watched():
    asked = {node.name for _, query in queries() for node in nodes(query)
             if isinstance(node, promql_parser.VectorSelector)}
    asked = {re.sub("_(bucket|sum|count)$", "", name) if name not in METRICS else name for name in asked}
    assert METRICS.keys() - asked == {"process_max_fds"}


# ---- the rules --------------------------------------------------------------------------------------------


@pytest.fixture
def promtool(tmp_path):
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(RULES))
    shutil.copy(MONITORING / "rules-test.yaml", tmp_path)

    def run(*arguments: str) -> str:
        result = subprocess.run(["promtool", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=scaled(120))
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


def test_prometheus_takes_the_rules(promtool):
    assert f"SUCCESS: {len(ALL_RULES)} rules found" in promtool("check", "rules", "rules.yml")


def test_alerts_fire_when_they_should_and_only_then(promtool):
    assert "SUCCESS" in promtool("test", "rules", "rules-test.yaml")


def test_each_alert_has_a_case_that_fires():
    cases = yaml.safe_load((MONITORING / "rules-test.yaml").read_text())["tests"]
    fired = {alert["alertname"] for case in cases for alert in case["alert_rule_test"] if alert["exp_alerts"]}
    assert fired == {rule["alert"] for rule in ALL_RULES}


def test_each_alert_leads_to_its_place_in_the_runbook():
    section = RUNBOOK.partition("\n## Read each alert\n")[2].partition("\n## ")[0]
    headings = re.findall(r"^### (\w+)$", section, re.MULTILINE)
    assert headings == [rule["alert"] for rule in ALL_RULES]
    for rule in ALL_RULES:
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/operations.md#{rule['alert'].lower()}")
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")


# ---- the dashboard ----------------------------------------------------------------------------------------


def test_panels_have_their_own_place_and_a_source_that_can_be_chosen():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}" and 'namespace=~"$namespace"' in target["expr"]
