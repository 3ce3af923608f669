"""What the benchmark makes of what it measures, without measuring anything."""

import argparse
import pathlib

import pytest

from bench import instructions, report, results, tables
from bench.figures import Figure, Row
from bench.job_costs import COSTS, is_connection, segments_in
from bench.options import Options, microseconds
from bench.results import LARGE, SHARDS, USUAL, Results
from bench.statements import DISK, IDENTITY, SIZE, USER, Statement, parametrized, transaction
from bench.ways import Way

LINE = (
    'ESTAB 0 0 127.0.0.1:52990 127.0.0.1:22593 users:(("worker",pid=13000,fd=16)) bbr bytes_sent:21163 segs_out:333'
    " segs_in:222 data_segs_out:321 data_segs_in:117 send 7171112462bps")
STATEMENTS = [
    Statement("INSERT INTO job_ledger (job_id, worker) VALUES ($1, $2)", [f"'{IDENTITY}'", "'host/1'"]),
    Statement(
        "INSERT INTO disks (disk_id, user_id, disk_name, size_gb) VALUES ($1, $2, $3, $4)",
        [f"'{IDENTITY}'", f"'{USER}'", f"'{DISK}'", f"'{SIZE}'"]),
    Statement(
        "INSERT INTO outbox (message_id, headers, body) VALUES ($1, $2, $3)",
        [f"'{IDENTITY}.completed'", "NULL", r"'\x7b7d'"]),
]


def some_row(**more) -> Row:
    figure = Figure.of([1.0, 2.0, 4.0])
    return Row("throughput", "one worker", "what it means", "jobs/s", figure, figure, "of limit", **more)


def some_results(*rows: Row) -> Results:
    machine = {
        "cores": "2", "processor": "p", "postgresql": "15", "rabbitmq": "3.10", "commit": "abc", "busy_with_others": 0.01}
    return Results(machine, {"rounds": 3}, 0, list(rows))


def test_results_outlive_their_file(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FILE", tmp_path / "benchmark.json")
    kept = {USUAL: some_results(some_row(worker_cpu=Figure.of([0.1]), costs={"packets": Figure.of([1.5])}))}
    results.save(kept)
    assert results.load() == kept


def test_some_parts_and_conditions_are_kept_apart():
    usual = some_row()
    shard, ledger, snapshot = (
        Row(part, "name", "", "jobs/s", Figure.of([1.0])) for part in ("shards", "large-ledger", "long-snapshot"))
    assert {name: run.rows for name, run in results.split(some_results(usual, shard, ledger, snapshot), "").items()} == {
        USUAL: [usual], SHARDS: [shard], LARGE: [ledger, snapshot]}
    assert list(results.split(some_results(usual), "RabbitMQ as 3 nodes")) == ["RabbitMQ as 3 nodes"]


def test_the_documents_have_the_figures_of_the_file():
    """Nobody has changed them by hand, or forgotten to write them anew."""
    for file, text in report.documents(results.load()).items():
        assert file.read_text() == text, f"{file.name} is not what ./dev bench --write makes of docs/benchmark.json"


def test_a_document_without_its_markers_is_left_alone():
    with pytest.raises(RuntimeError, match="markers"):
        tables.replaced("no markers", "results", "| table |")


@pytest.mark.parametrize(("text", "expected"), [("0.5ms", 500), ("200us", 200), ("1s", 1_000_000)])
def test_durations(text, expected):
    assert microseconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "-1ms", "1m", "ms"])
def test_what_is_no_duration(text):
    with pytest.raises(argparse.ArgumentTypeError):
        microseconds(text)


def test_a_condition_has_a_name():
    assert Options.chosen(True, None).condition == ""
    assert Options.chosen(True, None, delay=500).condition == "0.5 ms more in each direction"


def test_the_ways_to_the_services():
    urls = "amqp://guest:guest@127.0.0.1:5672/", "postgresql://postgres@127.0.0.1:5432/b1"
    assert Way().settings(*urls) == {"AMQP_URL": urls[0], "DATABASE_URL": urls[1]}
    assert Way(1, 2).settings(*urls)["DATABASE_URL"] == "postgresql://postgres@127.0.0.1:2/b1"
    secure = Way(amqp_port=3, authority=pathlib.Path("/a.pem")).settings(*urls)
    assert secure["AMQP_URL"] == "amqps://guest:guest@localhost:3/"
    assert secure["DATABASE_URL"].endswith("@localhost:5432/b1?sslmode=verify-full&sslrootcert=%2Fa.pem")


def test_only_the_workers_connections_to_the_services_count():
    assert is_connection(LINE, {13000}, {22593})
    assert not is_connection(LINE, {13001}, {22593}) and not is_connection(LINE, {13000}, {52990})
    assert segments_in(LINE) == 555


def test_yardsticks_get_the_recorded_statements():
    assert parametrized(STATEMENTS) == {
        "LEDGER_SQL": "INSERT INTO job_ledger (job_id, worker) VALUES ($1, 'host/1')",
        "DISK_SQL": "INSERT INTO disks (disk_id, user_id, disk_name, size_gb) VALUES ($1, $2, $3, $4)",
        "OUTBOX_SQL": "INSERT INTO outbox (message_id, headers, body) VALUES (($1::text || '.completed'), NULL, $2)",
    }


def test_pgbench_gets_them_with_an_id_of_its_own_each_time():
    script = transaction(STATEMENTS, 1)
    assert IDENTITY not in script and f"'{DISK}'" not in script and script.count("md5(:id::text)") == 3


def test_allocations_are_the_calls_of_allocators_from_elsewhere():
    assert instructions.allocations("\n".join([
        "fn=(1) swift_slowAlloc", "10 5", "cfn=(2) malloc", "calls=7 0", "10 70", "cfn=(3) memcpy", "calls=9 0", "10 9",
        "fn=(4) start", "cfn=(2)", "calls=2 0", "11 20", "fn=(2)", "cfn=(5) calloc", "calls=4 0", "12 4"])) == 9


def test_costs_have_a_column_each():
    head, line = tables.costs([some_row(), some_row(costs={"packets": Figure.of([1.5])})])
    assert head == ["a job of", *COSTS] and line == ["one worker", *[""] * (len(COSTS) - 1), "1.50"]
