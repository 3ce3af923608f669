"""What people and scripts do with the program: its commands, their output and their exit codes."""

import datetime
import json
import subprocess
import uuid

import pytest

from harness.program import PROGRAM
from harness.repository import ROOT
from harness.waiting import eventually

DISK = {"user_id": "alice", "disk_name": "home"}
PAYLOAD = json.dumps(DISK)


def kill_some(system, count: int) -> list[str]:
    """Sends jobs that die, one after the other; returns their ids in the order of their deaths."""
    jobs = []
    for number in range(count):
        jobs.append(system.publish("disk.create-snapshot", DISK | {"disk_name": f"d{number}"}))
        eventually("the job is buried", lambda: system.depth("disks.dead") == len(jobs))
    return jobs


def letters(system, *options: str) -> list[dict]:
    return json.loads(system.call("dead", "list", "--json", *options))


def test_every_wrong_setting_is_told_at_once_and_nothing_is_started(system):
    wrong = {
        "AMQP_URL": "http://x", "DATABASE_URL": "", "AWS_REGION": "", "WORKER_CONCURRENCY": "many",
        "WORKER_DEADLINE": "5", "WORKER_QUEUES": "disks,cats", "LOG_LEVEL": "loud", "HOSTED_ZONE_ID": ""}
    result = system.run("run", **wrong)
    assert result.returncode == 78
    for setting in wrong:
        assert setting in result.stderr
    assert system.consumers("disks") == 0


def test_settings_come_from_files_and_secrets_stay_out_of_what_is_said(system, tmp_path):
    directory = tmp_path / "settings"
    directory.mkdir()
    (directory / "DATABASE_URL").write_text("postgresql://postgres:geheim@127.0.0.1:1/none\n")
    result = system.run("jobs", "list", DATABASE_URL="", CONFIG_DIRECTORY=str(directory))
    assert result.returncode == 69
    assert "geheim" not in result.stderr


@pytest.mark.parametrize("arguments", [
    ["enqueue", "disk"], ["enqueue", "disk.create", "[]"], ["enqueue", "disk.create", "{"],
    ["enqueue", "disk.create", "{}", "--id", "7"], ["enqueue", "disk.create", "{}", "--at", "noon"], ["sing"],
    ["jobs", "show", "7"], ["dead", "list", "--limit", "0"], ["events", "--since", "noon"]])
def test_wrong_usage_ends_with_64(system, arguments):
    assert system.run(*arguments).returncode == 64


@pytest.mark.parametrize(("arguments", "setting"), [
    (["enqueue", "disk.create", PAYLOAD], {"AMQP_URL": "amqp://127.0.0.1:1"}),
    (["jobs", "list"], {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}),
    (["dead", "list"], {"AMQP_URL": "amqp://127.0.0.1:1"}),
    (["migrate"], {"DATABASE_URL": "postgresql://127.0.0.1:1/none"})])
def test_a_service_that_cannot_be_reached_ends_with_69(system, arguments, setting):
    result = system.run(*arguments, **setting)
    assert result.returncode == 69 and next(iter(setting)) in result.stderr


def test_an_unsafe_topology_is_refused_before_anything_is_consumed(system):
    queue = f"{system.prefix}.disks"
    system.channel.queue_delete(queue)
    system.channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "classic"})
    system.channel.queue_bind(queue, f"{system.prefix}.jobs", "disk.#")
    assert system.run("topology", "check").returncode == 1
    result = system.run("run")
    assert result.returncode == 78 and queue in result.stderr
    assert system.consumers("reservations") == 0


def test_a_worker_waits_for_a_schema_that_is_behind(system):
    system.rows("DELETE FROM schema_migrations WHERE version = 2")
    replica = system.start_doomed()
    eventually("it says so", lambda: "the schema is behind" in replica.log.read_text())
    assert system.consumers("disks") == 0
    assert replica.stop() == 0


def test_migrate_can_be_repeated(system):
    assert system.call("migrate") == "the schema is current already"
    assert system.run("migrate", "--check").returncode == 0


def test_enqueue_prints_the_id_and_waits_for_the_end(system):
    system.start()
    job, data = system.call("enqueue", "disk.create", PAYLOAD, "--wait").split("\n")
    assert system.state(str(uuid.UUID(job))) == ("succeeded", 1)
    assert json.loads(data) == system.event(job)["data"]
    dead = system.run("enqueue", "disk.create", PAYLOAD, "--wait")
    assert dead.returncode == 1 and "disk-exists" in dead.stderr
    job, data = dead.stdout.strip().split("\n")
    assert system.state(job) == ("dead", 1) and json.loads(data)["code"] == "disk-exists"


def test_waiting_for_a_job_that_has_ended_asks_the_ledger(system):
    system.start()
    job = str(uuid.uuid4())
    first = system.call("enqueue", "disk.create", PAYLOAD, "--id", job, "--wait")
    assert system.call("enqueue", "disk.create", PAYLOAD, "--id", job, "--wait") == first
    dead = str(uuid.uuid4())
    for _ in range(2):
        result = system.run("enqueue", "disk.create", PAYLOAD, "--id", dead, "--wait")
        assert result.returncode == 1 and "disk-exists" in result.stderr
    # The log of events may have forgotten it.
    system.rows(
        "UPDATE job_ledger SET job_id = %s, finished_at = now() - interval '1 s' WHERE job_id = %s", str(uuid.UUID(int=7)), job)
    assert system.call("enqueue", "disk.create", PAYLOAD, "--id", str(uuid.UUID(int=7)), "--wait") == str(uuid.UUID(int=7))
    assert system.depth("disks") == 0


def test_waiting_has_an_end(system):
    result = system.run("enqueue", "disk.create", PAYLOAD, "--wait", "--timeout", "1s")
    assert result.returncode == 1 and "has not ended yet" in result.stderr
    assert system.depth("disks") == 1, "the job goes on"
    assert system.run("enqueue", "disk.create", PAYLOAD, "--wait", "--timeout", "soon").returncode == 64


@pytest.mark.parametrize(("kind", "payload", "told"), [
    ("disk.creat", DISK, "did you mean disk.create?"), ("disk.reconcile_all", {}, "did you mean disk.reconcile-all?"),
    ("disk.create", {"user_id": "alice"}, "disk_name: is required"),
    ("disk.create", DISK | {"size_gb": 0}, "size_gb: must be"), ("weather.forecast", {}, "there is no kind")])
def test_what_no_worker_would_take_is_not_enqueued(system, kind, payload, told):
    text = json.dumps(payload)
    for command in (["enqueue", kind, text], ["schedule", "set", "nightly", kind, text, "--every", "1h"]):
        result = system.run(*command)
        assert result.returncode == 64 and told in result.stderr
    assert ("did you mean" in result.stderr) == ("did you mean" in told)
    assert system.depth("disks") == 0 and not system.rows("SELECT FROM job_schedules")
    forced = system.run("schedule", "set", "nightly", kind, text, "--every", "1h", "--force")
    # What can be no kind at all is refused by force too.
    assert forced.returncode == (64 if "_" in kind else 0)
    assert system.value("SELECT kind FROM job_schedules") == (None if "_" in kind else kind)


def test_a_newer_kind_is_enqueued_by_force(system):
    job = system.call("enqueue", "disk.defragment", json.dumps(DISK), "--force")
    assert uuid.UUID(job) and system.depth("disks") == 1


def test_each_kind_of_the_program_is_known_to_its_commands(system):
    for kind in system.call("schema").splitlines():
        result = system.run("enqueue", kind, '{"dry_run": 7}')
        assert "there is no kind" not in result.stderr


def test_a_kind_that_cannot_rehearse_does_nothing_instead(system):
    result = system.run("enqueue", "disk.create", PAYLOAD, "--dry-run")
    assert result.returncode == 64 and "cannot rehearse" in result.stderr and "disk.delete" in result.stderr
    assert system.run("enqueue", "disk.defragment", PAYLOAD, "--dry-run", "--force").returncode == 64
    assert system.depth("disks") == 0
    for path in (ROOT / "schemas/jobs").glob("*.json"):
        properties = json.loads(path.read_text()).get("properties", {})
        result = system.run("enqueue", path.stem, "{}", "--dry-run")
        assert ("cannot rehearse" in result.stderr) == ("dry_run" not in properties), path.stem


def test_enqueue_reads_files_and_standard_input(system, tmp_path):
    system.start()
    (tmp_path / "payload").write_text(PAYLOAD)
    job = str(uuid.uuid4())
    assert system.call("enqueue", "disk.create", "--payload", f"@{tmp_path}/payload", "--id", job) == job
    assert system.event(job)["type"] == "disk.create.completed"
    given = system.run("enqueue", "disk.create", given=json.dumps(DISK | {"disk_name": "other"}))
    assert system.event(given.stdout.strip())["subject"] == "disk/alice/other"


def lines(*jobs):
    return "".join(json.dumps(job) + "\n" for job in jobs)


def test_a_file_of_jobs_is_enqueued_and_can_be_sent_again(system, tmp_path):
    file, named = tmp_path / "jobs.ndjson", str(uuid.uuid4())
    disks = [{"kind": "disk.create", "payload": DISK | {"disk_name": f"disk-{number}"}} for number in range(3)]
    look = {"kind": "disk.reconcile-volume", "payload": {"volume_id": "vol-0123456789abcdef0"}}
    file.write_text(lines(*disks) + "\n" + lines(look, look, disks[0] | {"payload": DISK, "job_id": named}))
    ids = system.call("enqueue", "--file", str(file)).split()
    assert len(set(ids)) == 6 and ids[5] == named, "equal lines are jobs of their own"
    again = system.run("enqueue", "--file", "-", given=file.read_text())
    assert again.stdout.split() == ids
    system.start()
    for job in ids:
        assert system.event(job)["type"].endswith(".completed")
    eventually("all is done", lambda: not system.rows("SELECT FROM outbox") and not system.depth("disks"))
    assert system.value("SELECT count(*) FROM job_ledger") == 6
    again = system.run("enqueue", "--file", str(file))
    assert again.returncode == 0 and again.stdout.split() == ids and "6 of 6 jobs had been enqueued before" in again.stderr
    assert not system.rows("SELECT FROM outbox")


def test_a_wrong_line_of_a_file_is_named_and_nothing_is_enqueued_unless_told(system, tmp_path):
    good = {"kind": "disk.create", "payload": DISK}
    bad = [("{", "not JSON"), ("[]", "line: must be a JSON object"), (json.dumps({"kind": "disk.create"}), "payload: is required"),
           (json.dumps({"payload": {}}), "kind: is required"), (json.dumps(good | {"payload": {}}), "disk_name: is required"),
           (json.dumps(good | {"kind": "disk.crate"}), "did you mean disk.create?"),
           (json.dumps(good | {"run_at": "soon", "job_id": 7, "unique_key": ""}),
            "job_id: must be a UUID; run_at: must be a time as in RFC 3339, such as 2025-01-02T03:04:05Z; unique_key: must be"),
           (json.dumps(good | {"runat": "x"}), "runat: is none of kind, payload")]
    file = tmp_path / "jobs.ndjson"
    file.write_text(lines(good) + "".join(f"{line}\n" for line, _ in bad))
    refused = system.run("enqueue", "--file", str(file))
    assert refused.returncode == 64 and not refused.stdout and "nothing was enqueued: 8 of the lines are wrong" in refused.stderr
    for number, (_, told) in enumerate(bad, 2):
        assert any(f"line {number}: " in line and told in line for line in refused.stderr.splitlines()), (number, refused.stderr)
    assert not system.rows("SELECT FROM outbox")
    partly = system.run("enqueue", "--file", str(file), "--keep-going")
    assert partly.returncode == 2 and len(partly.stdout.split()) == 1 and "8 lines were left out, 1 enqueued" in partly.stderr
    assert system.value("SELECT message_id FROM outbox") == partly.stdout.strip()
    for other in (["disk.create"], ["--wait"], ["--id", str(uuid.uuid4())]):
        assert system.run("enqueue", "--file", str(file), *other).returncode == 64
    assert system.run("enqueue", "--file", str(tmp_path / "none")).returncode == 64
    assert system.run("enqueue", PAYLOAD).returncode == 64


def test_a_line_that_only_postgresql_refuses_is_named_too(system, tmp_path):
    """A JSON document may hold what a jsonb value does not."""
    good = [{"kind": "disk.create", "payload": DISK | {"disk_name": f"disk-{number}"}} for number in range(5)]
    texts = [json.dumps(line) for line in good]
    texts[1] = texts[1].replace('"payload": {', r'"payload": {"half\ud800": 1, ')
    texts[3] = texts[3].replace('"payload": {', f'"payload": {{"large": {"9" * 140_000}, ')
    file = tmp_path / "jobs.ndjson"
    file.write_text("\n".join(texts))
    refused = system.run("enqueue", "--file", str(file))
    assert refused.returncode == 64 and "nothing was enqueued: 2 of the lines are wrong" in refused.stderr
    assert [line.split(": ")[1] for line in refused.stderr.splitlines()[:2]] == ["line 2", "line 4"], refused.stderr
    assert not system.rows("SELECT FROM outbox")
    partly = system.run("enqueue", "--file", str(file), "--keep-going")
    assert partly.returncode == 2 and len(partly.stdout.split()) == 3 and "2 lines were left out, 3 enqueued" in partly.stderr
    assert system.value("SELECT count(*) FROM outbox") == 3


def test_a_unique_key_that_is_held_gives_the_job_that_holds_it(system):
    ask = ["enqueue", "disk.create", PAYLOAD, "--unique-key", "home of alice"]
    job = system.call(*ask)
    assert system.call(*ask) == job
    assert system.run(*ask, "--wait").returncode == 64
    system.start()
    assert system.event(job)["type"] == "disk.create.completed"
    eventually("the job has ended", lambda: system.state(job) == ("succeeded", 1))
    other = system.call(*ask)
    assert other != job and system.event(other)["data"]["code"] == "disk-exists"
    eventually("the other is dead", lambda: system.state(other) == ("dead", 1))
    third = system.call(*ask)
    assert third not in (job, other)
    # The dead one can be replayed while another has the key.
    assert system.event(third)["data"]["code"] == "disk-exists"
    system.rows("DELETE FROM disks")
    system.call("dead", "replay", "--job", other)
    eventually("the replay has ended", lambda: system.state(other)[0] == "succeeded")


def test_enqueue_can_order_a_dry_run(system):
    system.add_disk("alice", "home")
    system.start()
    for kind, payload in (
            ("disk.delete", DISK), ("disk.delete", DISK | {"dry_run": True}), ("disk.prune-snapshots", {})):
        job = system.call("enqueue", kind, json.dumps(payload), "--dry-run")
        assert system.event(job)["data"]["dry_run"] is True
    assert system.value("SELECT is_deleted FROM disks") is False
    refused = system.run("enqueue", "disk.delete", json.dumps(DISK | {"dry_run": False}), "--dry-run")
    assert refused.returncode == 64 and "dry_run: false" in refused.stderr
    assert system.run("enqueue", "disk.delete", "[1]", "--dry-run").returncode == 64


def test_a_job_for_later_waits_in_the_outbox_and_can_be_cancelled(system):
    system.start()
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
    job = system.call("enqueue", "disk.create", PAYLOAD, "--at", later)
    assert system.value("SELECT available_at > now() + interval '59 min' FROM outbox WHERE message_id = %s", job)
    assert "is cancelled" in system.call("jobs", "cancel", job)
    system.rows("UPDATE outbox SET available_at = now()")
    eventually("the message is gone", lambda: not system.rows("SELECT FROM outbox") and not system.depth("disks"))
    assert system.state(job) == ("cancelled", 0)
    assert not system.rows("SELECT FROM disks")


def test_a_job_that_has_not_come_yet_can_be_cancelled_but_not_one_that_has_ended(system):
    job = str(uuid.uuid4())
    system.call("jobs", "cancel", job)
    [replica] = system.start()
    system.publish("disk.create", DISK, job)
    other = system.publish("disk.create", DISK)
    system.event(other)
    eventually("the message is gone", lambda: not system.depth("disks"))
    assert system.state(job) == ("cancelled", 0)
    scrape = replica.admin.scrape()
    assert scrape.by("gpudev_jobs_total", "fate")["cancelled"] == 1 and not scrape.total("gpudev_duplicates_total")
    assert system.run("jobs", "cancel", other).returncode == 1


def test_jobs_are_listed_and_shown(system):
    system.start()
    dead, = kill_some(system, 1)
    fine = system.publish("disk.create", DISK)
    system.event(fine)
    assert [job["job_id"] for job in json.loads(system.call("jobs", "list", "--json"))] == [fine, dead]
    assert [job["job_id"] for job in json.loads(system.call("jobs", "list", "--json", "--state", "dead"))] == [dead]
    assert dead in system.call("jobs", "list")
    shown = json.loads(system.call("jobs", "show", dead))
    assert shown["state"] == "dead" and shown["failed_attempts"][0]["code"] == "unknown-disk"
    assert system.run("jobs", "show", str(uuid.uuid4())).returncode == 1


def test_dead_letters_are_listed_in_order_and_stay(system):
    system.start()
    jobs = kill_some(system, 4)
    for _ in range(3):
        assert [letter["job_id"] for letter in letters(system)] == jobs
    letter = letters(system, "--job", jobs[2])[0]
    assert letter.items() >= {
        "kind": "disk.create-snapshot", "reason": "rejected", "code": "unknown-disk", "attempts": 1,
        "queue": f"{system.prefix}.disks.dead", "replay_count": 0}.items()
    assert letter["bytes"] == len(json.dumps(DISK | {"disk_name": "d2"}))
    assert [each["job_id"] for each in letters(system, "--limit", "2")] == jobs[:2]
    assert letters(system, "--kind", "disk.create") == letters(system, "--reason", "poison") == []
    assert letters(system, "--older-than", "1h") == []
    assert '"disk_name": "d1"' in system.call("dead", "show", "--job", jobs[1])
    eventually("all are still there", lambda: system.depth("disks.dead") == 4)


def test_letters_are_replayed_once_what_killed_them_is_mended(system, cloud):
    system.start()
    jobs = kill_some(system, 3)
    assert jobs[0] in system.call("dead", "replay", "--dry-run", "--limit", "1")
    eventually("the letters are back", lambda: system.depth("disks.dead") == 3)
    for number in range(3):
        system.add_disk("alice", f"d{number}", ebs_volume_id=cloud.create_volume("alice", f"d{number}"))
    assert system.call("dead", "replay", "--job", jobs[1]) == "replayed 1 messages"
    eventually("it succeeds", lambda: system.state(jobs[1]) == ("succeeded", 2))
    assert [letter["job_id"] for letter in letters(system)] == [jobs[0], jobs[2]]
    assert system.call("dead", "replay", "--rate", "50") == "replayed 2 messages"
    for job in jobs:
        eventually("it succeeds", lambda: system.state(job) == ("succeeded", 2))  # noqa: B023
        assert len(cloud.snapshots_of(job)) == 1
    assert letters(system) == []


def test_a_job_that_dies_again_tells_of_its_second_death(system):
    system.start()
    job, = kill_some(system, 1)
    system.call("dead", "replay")
    eventually("it died again", lambda: {event["id"] for event in system.events_of(job)} == {
        f"{job}.failed.1", f"{job}.failed.2"})
    eventually("its letter is there", lambda: system.depth("disks.dead") == 1)
    letter, = letters(system)
    assert letter["replay_count"] == 1
    properties, body = system.letter()
    assert json.loads(body) == DISK | {"disk_name": "d0"}
    assert properties.headers["x-dead-code"] == "unknown-disk"


def test_events_are_followed_and_read_again(system):
    system.start()
    job = system.publish("disk.create", DISK)
    dead, = kill_some(system, 1)
    system.event(job), system.event(dead)
    for options, expected in (
            ([], [job, dead]), (["--ending", "failed"], [dead]), (["--kind", "disk.create"], [job]),
            (["--job", job], [job])):
        process = subprocess.Popen(
            [PROGRAM, "events", "--json", "--since", "first", *options], env=system.environment,
            stdout=subprocess.PIPE, text=True)
        try:
            assert [json.loads(process.stdout.readline())["jobid"] for _ in expected] == expected
        finally:
            process.kill()
            process.wait()


def test_a_schedule_enqueues_each_period_once_for_two_replicas(system):
    system.start(2)
    system.call("schedule", "set", "look", "disk.reconcile-volume", '{"volume_id": "vol-0123456789abcdef0"}', "--every", "1h")
    kinds = {schedule["name"]: schedule["kind"] for schedule in json.loads(system.call("schedule", "list"))}
    assert kinds == {
        "look": "disk.reconcile-volume", "disk.prune-snapshots": "disk.prune-snapshots",
        "disk.reconcile-all": "disk.reconcile-all"}, "those for a cluster come with one"
    system.rows("UPDATE job_schedules SET next_run_at = now() WHERE name = 'look'")
    eventually("it has run", lambda: len(system.events()) == 1)
    assert system.value("SELECT next_run_at > now() + interval '59 min' FROM job_schedules WHERE name = 'look'")
    assert system.value("SELECT count(*) FROM job_ledger") == 1
    system.call("schedule", "disable", "look")
    system.call("schedule", "remove", "look")
    assert system.run("schedule", "remove", "look").returncode == 1


def test_a_job_enqueued_in_sql_runs(system):
    system.start()
    job = str(system.value("SELECT enqueue_job('disk.create', %s::jsonb)", PAYLOAD))
    assert system.event(job)["type"] == "disk.create.completed"


def test_the_doctor_tells_what_is_well_and_what_is_not(system):
    told = system.call("doctor")
    assert told.count("ok   ") == 11 and told.count("off  ") == 2 and "FAIL" not in told
    result = system.run("doctor", HOSTED_ZONE_ID="Z00000000000000000000", AMQP_URL="amqp://127.0.0.1:1")
    assert result.returncode == 1
    assert result.stdout.count("FAIL") == 2 and result.stdout.count("skip") == 1 and "To do:" in result.stdout


def test_the_program_tells_its_version_and_its_schemas(system):
    assert system.call("--version") == "0.1.0"
    kinds = system.call("schema").splitlines()
    assert kinds == sorted(path.stem for path in (ROOT / "schemas/jobs").glob("*.json"))
    assert json.loads(system.call("schema", "disk.create"))["required"] == ["user_id", "disk_name"]
