"""disk.capture-contents: the listing of a disk's files on S3, or an answer that says why there is none."""

import subprocess
import uuid

import boto3
import pytest

from harness.waiting import eventually

RESERVATION = "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11"
POD = f"gpu-dev-{RESERVATION[:8]}"
LISTING = "1.2G\t/home/dev\n---\n/home/dev\n|-- Grüße.txt\n"


@pytest.fixture
def bucket(disks, kubernetes):
    """The bucket, with a worker that knows it and a cluster in which the pod runs."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="disk-contents", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    kubernetes.add_node("node-1")
    kubernetes.add_pod(POD, node="node-1", annotations={"gpu-dev-user-id": "alice"}, containers=[
        {"name": "sidecar", "image": "proxy"}, {"name": "gpu-dev", "image": "gpu-dev:latest"}])
    disks.system.environment |= kubernetes.settings() | {"DISK_CONTENTS_BUCKET": "disk-contents"}
    return s3


def keys(bucket) -> list[str]:
    return [each["Key"] for each in bucket.list_objects_v2(Bucket="disk-contents").get("Contents", [])]


def hold(disks, user: str, disk: str = "home", holder: str = "alice") -> None:
    """The reservation of the pod has the disk."""
    if not disks.system.rows("SELECT FROM reservations WHERE reservation_id = %s", RESERVATION):
        disks.system.add_reservation(RESERVATION, user_id=holder)
    if not disks.system.rows("SELECT FROM disks WHERE user_id = %s AND disk_name = %s", user, disk):
        disks.system.add_disk(user, disk)
    disks.system.rows(
        "UPDATE disks SET in_use = true, reservation_id = %s WHERE user_id = %s AND disk_name = %s",
        RESERVATION, user, disk)


def capture(disks, user: str = "alice@example.com", **payload) -> tuple[str, dict]:
    hold(disks, user)
    job = str(uuid.uuid4())
    disks.publish("disk.capture-contents", user=user, job=job, pod_name=POD, **payload)
    return job, disks.outcome(job)


def test_the_listing_lies_under_a_key_that_follows_from_the_job(disks, bucket, kubernetes, aws):
    kubernetes.on_exec([["stdout", LISTING], ["exit", 0]])
    disks.system.start()
    job, data = capture(disks)
    key = f"alice%40example.com/home/{job}-contents.txt"
    assert data == {
        "user_id": "alice@example.com", "disk_name": "home", "pod_name": POD,
        "content_s3_uri": f"s3://disk-contents/{key}", "disk_size": "1.2G", "bytes": len(LISTING.encode()),
        "is_truncated": False, "exit_code": 0}
    stored = bucket.get_object(Bucket="disk-contents", Key=key)
    assert stored["Body"].read() == LISTING.encode() and stored["ContentType"] == "text/plain"
    # Moto loses metadata with an underscore in its name.
    put, = (call for call in aws.calls if call.action == "PutObject")
    assert {name.lower(): value for name, value in put.headers.items()}.items() >= {
        "x-amz-meta-user_id": "alice@example.com", "x-amz-meta-disk_name": "home", "x-amz-meta-pod_name": POD,
        "x-amz-meta-disk_size": "1.2G"}.items()
    executed, = kubernetes.executed
    assert (executed["container"], executed["command"][-1]) == ("gpu-dev", "/home/dev")


def test_the_command_lists_three_levels_and_leaves_out_what_nobody_wants_to_see(disks, bucket, kubernetes, tmp_path):
    kubernetes.on_exec([["stdout", LISTING], ["exit", 0]])
    disks.system.start()
    capture(disks)
    home = tmp_path / "home of $USER; 'dev'"
    for path in ("a/b/c/d.txt", ".git/config", ".oh-my-zsh/theme", "z.txt"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("x")
    command = [*kubernetes.executed[0]["command"][:-1], str(home)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    size, _, listing = result.stdout.partition("\n---\n")
    assert size.endswith(f"\t{home}")
    assert "c" in listing and "z.txt" in listing
    assert not any(word in listing for word in ("d.txt", "config", "theme"))
    gone = subprocess.run([*command[:-1], str(home / "gone")], capture_output=True, text=True, check=False)
    assert gone.returncode != 0 and "---" in gone.stdout


def test_a_snapshot_that_is_named_leads_to_its_listing(disks, bucket, kubernetes):
    disks.system.add_disk("alice", "home")
    disks.snapshot()
    snapshot = disks.snapshot()
    kubernetes.on_exec([["stdout", LISTING], ["exit", 0]])
    disks.system.start()
    for _ in range(2):
        data = capture(disks, user="alice", snapshot_id=snapshot)[1]
        assert data["content_s3_uri"] == f"s3://disk-contents/alice/home/{snapshot}-contents.txt"
    assert disks.tags(snapshot).items() >= {
        "snapshot_content_s3": data["content_s3_uri"], "disk_size": "1.2G"}.items()
    assert disks.row("latest_snapshot_content_s3, disk_size") == (data["content_s3_uri"], "1.2G")
    assert len(keys(bucket)) == 1, "done twice it overwrites itself"


def test_a_snapshot_of_another_disk_is_left_alone(disks, bucket, kubernetes):
    snapshot = disks.snapshot(disk="other")
    kubernetes.on_exec([["stdout", LISTING], ["exit", 0]])
    disks.system.start()
    assert capture(disks, user="alice", snapshot_id=snapshot)[1]["code"] == "foreign-snapshot"
    assert "snapshot_content_s3" not in disks.tags(snapshot)
    assert kubernetes.executed == [] == keys(bucket)


@pytest.mark.parametrize(("steps", "size", "code"), [
    ([["stdout", LISTING], ["stderr", "du: cannot read"], ["exit", 1]], "1.2G", 1),
    ([["stdout", "---\n/home/dev\n"], ["exit", 2]], None, 2),
    ([["stdout", LISTING], ["close"]], "1.2G", None),
])
def test_how_the_command_ended_is_told(disks, bucket, kubernetes, steps, size, code):
    kubernetes.on_exec(steps)
    disks.system.start()
    job, data = capture(disks)
    assert (data["disk_size"], data["exit_code"]) == (size, code)
    assert keys(bucket) == [f"alice%40example.com/home/{job}-contents.txt"]


def test_a_listing_that_is_too_long_is_cut_after_a_line_and_says_so(disks, bucket, kubernetes):
    kubernetes.on_exec([["stdout", "40M\t/home/dev\n---\n"], ["repeat", "ä/ö/ü.txt\n", 200_000], ["exit", 0]])
    disks.system.start()
    job, data = capture(disks)
    assert data["is_truncated"] and data["disk_size"] == "40M"
    stored = bucket.get_object(Bucket="disk-contents", Key=keys(bucket)[0])["Body"].read()
    assert len(stored) == data["bytes"] <= 2**20 + 100
    *lines, note = stored.decode().splitlines()
    assert set(lines[2:]) == {"ä/ö/ü.txt"} and "cut off" in note


def test_bytes_that_are_no_text_are_passed_through(disks, bucket, kubernetes):
    content = b"1K\t/home/dev\n---\n\xff\xfe\x00\xc3\n"
    kubernetes.on_exec([["stdout", content], ["exit", 0]])
    disks.system.start()
    capture(disks)
    assert bucket.get_object(Bucket="disk-contents", Key=keys(bucket)[0])["Body"].read() == content


@pytest.mark.parametrize(("steps", "code"), [
    ([["exit", 0]], "no-listing"), ([["stderr", "sh: not found"], ["exit", 127]], "no-listing"),
    ([["stdout", "1K"], ["stall", 60]], "listing-timeout")])
def test_without_a_listing_there_is_no_object(disks, bucket, kubernetes, steps, code):
    kubernetes.on_exec(steps)
    disks.system.start(WORKER_DEADLINE="14s")
    data = capture(disks)[1]
    assert (data["reason"], data["code"]) == ("rejected", code)
    assert keys(bucket) == []


def test_a_pod_that_is_gone_has_no_listing(disks, bucket, kubernetes):
    disks.system.start()
    job = disks.publish("disk.capture-contents", pod_name="gpu-dev-gone")
    assert disks.outcome(job)["code"] == "unknown-pod"


def test_a_user_with_a_slash_has_no_place_in_the_bucket(disks, bucket):
    disks.system.start()
    assert capture(disks, user="alice/../bob")[1]["code"] == "invalid-key"
    assert keys(bucket) == []


def test_without_a_bucket_it_says_so(disks):
    disks.system.start()
    assert capture(disks)[1]["code"] == "not-configured"


def test_nothing_is_executed_in_a_pod_that_does_not_have_the_disk(disks, bucket, kubernetes):
    """Neither a pod of another user, nor of a reservation with another disk, nor one that says of nobody whose it is."""
    kubernetes.add_pod("postgres-0", node="node-1")
    disks.system.add_disk("bob", "home")
    disks.system.start()
    hold(disks, "alice")
    hold(disks, "alice", "second")
    disks.system.rows("UPDATE disks SET reservation_id = NULL WHERE disk_name = 'second'")
    orders = [("bob", "home", POD), ("alice", "second", POD), ("alice", "home", "postgres-0")]
    for user, disk, pod in orders:
        job = disks.publish("disk.capture-contents", disk, user, pod_name=pod)
        assert disks.outcome(job)["code"] == "foreign-pod"
    for said in ({"gpu-dev-user-id": "bob"}, {}):
        kubernetes.pod(POD)["metadata"]["annotations"] = said
        assert capture(disks, user="alice")[1]["code"] == "foreign-pod"
    assert kubernetes.executed == [] == keys(bucket)


def test_a_kubelet_that_cannot_be_reached_costs_a_try_and_no_job(disks, bucket, kubernetes):
    """The server has switched protocols by then; its message quotes the whole command, which is not passed on."""
    kubernetes.on_exec([["unreachable"]])
    disks.system.start(WORKER_RETRY_BASE="100ms", WORKER_MAX_ATTEMPTS="50")
    hold(disks, "alice")
    job = disks.publish("disk.capture-contents", user="alice", pod_name=POD)
    error = eventually("a try has failed", lambda: disks.system.value(
        "SELECT error FROM job_attempts WHERE job_id = %s LIMIT 1", job))
    assert "connection refused" in error and "command=" not in error and len(error) < 500
    kubernetes.on_exec([["stdout", LISTING], ["exit", 0]])
    assert disks.outcome(job)["exit_code"] == 0


def test_a_server_that_knows_no_roles_yet_costs_tries_and_no_job(disks, bucket, kubernetes):
    """It answers 403 for a moment after it listens."""
    kubernetes.on_exec([["stdout", LISTING], ["exit", 0]])
    kubernetes.is_starting = True
    disks.system.start(WORKER_RETRY_BASE="100ms", WORKER_MAX_ATTEMPTS="50")
    hold(disks, "alice")
    job = disks.publish("disk.capture-contents", user="alice", pod_name=POD)
    eventually("a try has failed", lambda: disks.system.value(
        "SELECT 1 FROM job_attempts WHERE job_id = %s AND code = 'Forbidden' LIMIT 1", job))
    kubernetes.is_starting = False
    assert disks.outcome(job)["exit_code"] == 0
