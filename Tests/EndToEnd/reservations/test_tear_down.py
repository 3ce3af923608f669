"""The end of a reservation: all that it had goes, step by step, and its disk is handed on to be released."""

import dataclasses
import re
import signal
import uuid

import boto3
import pytest

from harness.kubernetes.server import timestamp
from harness.waiting import eventually
from harness.worker import Replica
from harness.worker_system import WorkerSystem

KIND = "reservation.tear-down"
EXPIRY = "2031-02-03T04:05:06Z"
START = "6f1c2f0e"


@dataclasses.dataclass
class Tenancy:
    """An active reservation of alice's with all that one can have."""

    system: WorkerSystem
    cluster: object
    cloud: object
    id: str
    pod: str
    group: str

    def order(self, status: str = "cancelled", **more) -> str:
        return self.system.publish(KIND, {"reservation_id": self.id, "status": status} | more)

    def finish(self, job: str) -> dict:
        """Hurries the job to its end and returns what the event tells."""
        state = "SELECT state FROM job_ledger WHERE job_id = %s"

        def is_done() -> bool:
            self.system.hurry()
            return self.system.value(state, job) in ("succeeded", "dead")

        eventually("the job is done", is_done)
        event = self.system.event(job)
        assert event["type"] == f"{KIND}.completed", event
        return event["data"]

    def row(self, columns: str) -> tuple:
        return self.system.rows(f"SELECT {columns} FROM reservations WHERE reservation_id = %s", self.id)[0]

    def assert_whole(self) -> None:
        assert set(self.cloud.records_of("training")) == {"CNAME", "TXT"}
        assert self.cloud.routed_hosts() == ["training.devservers.example"]
        assert self.cluster.names("pods") == {self.pod} and "deletionTimestamp" not in self.cluster.pod(self.pod)["metadata"]
        assert self.cluster.names("services") == {f"{self.pod}-ssh", f"{self.pod}-jupyter", f"{self.pod}-headless"}

    def assert_gone(self, status: str = "cancelled") -> None:
        assert self.cloud.records_of("training") == {}
        assert self.cloud.routed_hosts() == []
        assert boto3.client("elbv2").describe_target_groups()["TargetGroups"] == []
        assert self.cluster.names("pods") == set() == self.cluster.names("services")
        assert self.system.rows("SELECT FROM domain_mappings") == [] == self.system.rows("SELECT FROM alb_target_groups")
        assert self.row("status, reservation_ended IS NOT NULL") == (status, True)
        # Only the release frees the disk, when its data is safe.
        assert self.system.rows("SELECT in_use, reservation_id FROM disks") == [(True, self.id)]


@pytest.fixture
def tenancy(system, cloud, cluster, enqueued) -> Tenancy:
    reservation = START + str(uuid.uuid4())[8:]
    pod = f"gpu-dev-{START}"
    system.add_reservation(reservation, pod_name=pod, launched_at="2026-01-01T00:00:00Z", expires_at=EXPIRY)
    cluster.add_pod(pod, node="node-1", annotations={"gpu-dev-user-id": "alice"})
    worker = system.start(AWS_ENDPOINT_URL=system.environment["AWS_ENDPOINT_URL"])[0]
    name = {
        "reservation_id": reservation, "preferred_name": "training", "node_ip": "10.0.1.7", "node_port": 30022,
        "expires_at": EXPIRY}
    assert system.event(system.publish("reservation.map-dns", name))["type"].endswith(".completed")
    route = {
        "reservation_id": reservation, "domain_name": "training", "pod_name": pod, "instance_id": cloud.instance,
        "jupyter_port": 30888, "expires_at": EXPIRY}
    group = system.event(system.publish("reservation.create-target-group", route))["data"]["target_group_arn"]
    worker.stop()
    for service in ("ssh", "jupyter", "headless"):
        cluster.add_service(f"{pod}-{service}", 30022)
    system.add_disk("alice", "home", in_use=True, reservation_id=reservation)
    return Tenancy(system, cluster, cloud, reservation, pod, group)


def test_a_cancelled_reservation_loses_all_it_had(system, cluster, tenancy, enqueued):
    system.start()
    job = tenancy.order(user_id="alice")
    told = tenancy.finish(job)
    tenancy.assert_gone()
    assert tenancy.row("cancelled_at IS NOT NULL, failed_at, failure_reason") == (True, None, None)
    assert tenancy.row("status_history -> -1 ->> 'status'") == ("cancelled",)
    [(_, release, payload)] = enqueued("disk.release")
    assert payload == {
        "user_id": "alice", "disk_name": "home", "reservation_id": tenancy.id, "snapshot_type": "cancellation"}
    assert told == {
        "reservation_id": tenancy.id, "status": "cancelled", "domain_name": "training",
        "target_group_arn": tenancy.group, "pod_name": tenancy.pod, "content_s3_uri": None, "release_job_id": release,
        "dry_run": False}
    assert len(enqueued("capacity.refresh")) == 1
    assert cluster.removed[-1] == f"pods/{tenancy.pod}"


def test_name_and_route_go_before_the_pod_and_the_disk_after_it(system, cluster, cloud, tenancy, enqueued):
    cluster.holds_terminating = True
    system.start()
    job = tenancy.order("expired")
    eventually("the pod was asked to end", lambda: "deletionTimestamp" in cluster.pod(tenancy.pod)["metadata"])
    assert cluster.pod(tenancy.pod)["metadata"]["deletionGracePeriodSeconds"] == 30
    assert tenancy.row("status") == ("expired",)
    assert cloud.records_of("training") == {} and cloud.routed_hosts() == []
    assert cluster.names("services") == set()
    assert enqueued("disk.release") == [] == enqueued("capacity.refresh")
    cluster.holds_terminating = False
    tenancy.finish(job)
    tenancy.assert_gone("expired")
    assert [payload["snapshot_type"] for _, _, payload in enqueued("disk.release")] == ["shutdown"]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("point", ["claimed", "acted", "committed"])
def test_a_teardown_survives_death_at_any_step(system, cluster, tenancy, enqueued, point, number):
    cluster.holds_terminating = True
    job = tenancy.order()
    doomed = system.start_doomed(GPUDEV_KILL_AT=f"{point}:{number}")
    eventually("the worker dies", lambda: system.hurry() or not doomed.is_alive)
    assert doomed.process.wait() == -signal.SIGKILL
    cluster.holds_terminating = False
    system.start()
    told = tenancy.finish(job)
    tenancy.assert_gone()
    assert (told["domain_name"], told["target_group_arn"], told["pod_name"]) == ("training", tenancy.group, tenancy.pod)
    assert [release for _, release, _ in enqueued("disk.release")] == [told["release_job_id"]]
    assert len(enqueued("capacity.refresh")) == 1
    assert {event["id"] for event in system.events_of(job)} == {f"{job}.completed"}


@pytest.mark.parametrize("action", ["records", "DeleteRule", "DeleteTargetGroup"])
def test_a_teardown_survives_death_before_it_hears_aws(proxied, proxy, cloud, tenancy, enqueued, action):
    doomed: list[Replica] = []
    if action == "records":
        action = f"/2013-04-01/hostedzone/{cloud.zone}/rrset/"
    proxy.after(action, lambda: doomed and doomed.pop().kill())
    doomed += proxied.start()
    replica = doomed[0]
    job = tenancy.order()
    eventually("the worker dies", lambda: not replica.is_alive)
    proxied.start()
    assert tenancy.finish(job)["target_group_arn"] == tenancy.group
    tenancy.assert_gone()
    assert len(enqueued("disk.release")) == 1


@pytest.mark.parametrize("page", [None, "<html>404 page not found</html>"], ids=["error 500", "a page of some proxy"])
def test_a_cluster_that_cannot_be_read_has_the_pod_still(system, cluster, cloud, tenancy, enqueued, page):
    cluster.fail(r"/pods/", 404 if page else 500, "InternalError", body=page, times=10**6)
    system.start()
    job = tenancy.order()
    eventually("a try has failed", lambda: (system.state(job) or ("", 0))[1] >= 2)
    assert cluster.names("pods") == {tenancy.pod} and enqueued("disk.release") == []
    # What needs no Kubernetes has gone all the same.
    assert cloud.records_of("training") == {} and cloud.routed_hosts() == []
    cluster.heal()
    tenancy.finish(job)
    tenancy.assert_gone()


@pytest.mark.parametrize("part", [r"/services/.*-jupyter", r"/pods/"])
def test_a_teardown_goes_on_where_a_removal_failed(system, cluster, tenancy, enqueued, part):
    cluster.fail(part, 500, "InternalError", method="DELETE", times=10**6)
    system.start(WORKER_MAX_ATTEMPTS="100")
    job = tenancy.order()
    eventually("a try has failed", lambda: (system.state(job) or ("", 0))[1] >= 2)
    assert f"{tenancy.pod}-ssh" not in cluster.names("services")
    assert cluster.names("pods") == {tenancy.pod} and enqueued("disk.release") == []
    cluster.heal()
    tenancy.finish(job)
    tenancy.assert_gone()
    assert len(enqueued("disk.release")) == 1


@pytest.mark.parametrize(("action", "code"), [("DeleteTargetGroup", "ResourceInUse"), ("DescribeTargetGroups", "Throttling")])
def test_an_aws_that_refuses_does_not_keep_the_pod(proxied, proxy, cluster, tenancy, enqueued, action, code):
    proxied.environment["WORKER_MAX_ATTEMPTS"] = "100"
    proxy.refuse(action, 400, code)
    proxied.start(WORKER_DEADLINE="8s")
    job = tenancy.order()
    eventually("the pod is gone", lambda: proxied.hurry() or cluster.names("pods") == set())
    assert enqueued("disk.release") == [] and proxied.value("SELECT count(*) FROM alb_target_groups") == 1
    proxy.restore()
    tenancy.finish(job)
    tenancy.assert_gone()


def test_a_queued_reservation_frees_no_disk_of_another(system, cluster, enqueued):
    holder, queued = str(uuid.uuid4()), str(uuid.uuid4())
    system.add_reservation(holder)
    system.add_reservation(queued, "queued", disk_name="home")
    system.add_disk("alice", "home", in_use=True, reservation_id=holder)
    system.start()
    event = system.event(system.publish(KIND, {"reservation_id": queued, "status": "cancelled"}))
    assert (event["data"]["status"], event["data"]["release_job_id"]) == ("cancelled", None)
    assert event["data"]["pod_name"] is None
    assert system.rows("SELECT in_use, reservation_id FROM disks") == [(True, holder)]
    assert enqueued("disk.release") == []


def test_each_node_of_several_is_torn_down_on_its_own(system, cluster, enqueued):
    first, second = f"aaaaaaaa-{uuid.uuid4()}", f"bbbbbbbb-{uuid.uuid4()}"
    for index, node in enumerate((first, second)):
        system.add_reservation(node, is_multinode=True, node_index=index, master_reservation_id=first)
        cluster.add_pod(f"gpu-dev-{node[:8]}", node="node-1")
        cluster.add_service(f"gpu-dev-{node[:8]}-headless")
    system.add_disk("alice", "home", in_use=True, reservation_id=first)
    system.start()
    job = system.publish(KIND, {"reservation_id": second, "status": "cancelled"})
    eventually("it is done", lambda: system.hurry() or system.state(job) == ("succeeded", 1))
    assert enqueued("disk.release") == []
    assert cluster.names("pods") == {"gpu-dev-aaaaaaaa"} and cluster.names("services") == {"gpu-dev-aaaaaaaa-headless"}
    assert system.value("SELECT status FROM reservations WHERE reservation_id = %s", first) == "active"


def test_a_reservation_that_has_ended_is_torn_down_and_keeps_its_state(system, tenancy, enqueued):
    # As an older program left it: no time of its end.
    system.rows("UPDATE reservations SET status = 'cancelled', reservation_ended = NULL")
    system.start()
    assert tenancy.finish(tenancy.order("expired"))["status"] == "cancelled"
    tenancy.assert_gone("cancelled")
    assert tenancy.row("cancelled_at IS NOT NULL") == (True,)
    assert [payload["snapshot_type"] for _, _, payload in enqueued("disk.release")] == ["cancellation"]


def test_a_second_teardown_changes_nothing(system, tenancy, enqueued):
    system.start()
    tenancy.finish(tenancy.order("failed", reason="the node broke"))
    before = tenancy.row("status, failed_at, reservation_ended, failure_reason, status_history::text")
    assert before[0] == "failed" and before[3] == "the node broke" and before[1] == before[2]
    # The disk is being released meanwhile.
    [(_, release, _)] = enqueued("disk.release")
    system.rows(
        "INSERT INTO job_ledger (job_id, kind, state, exclusive_key) VALUES (%s, 'disk.release', 'waiting', 'disk:alice/home')",
        release)
    told = tenancy.finish(tenancy.order("cancelled"))
    assert (told["status"], told["release_job_id"]) == ("failed", release)
    assert tenancy.row("status, failed_at, reservation_ended, failure_reason, status_history::text") == before
    assert len(enqueued("disk.release")) == 1


@pytest.mark.parametrize(
    ("payload", "code"), [
        ({"user_id": "mallory"}, "foreign-reservation"), ({"reservation_id": "unknown"}, "unknown-reservation"),
        ({"reservation_id": "lock:x"}, "payload")])
def test_what_is_not_the_users_is_left_alone(system, tenancy, payload, code):
    system.start()
    job = system.publish(
        KIND, {"reservation_id": tenancy.id, "status": "cancelled"} | payload, checked=code != "payload")
    assert system.event(job)["data"]["code"] == code
    assert tenancy.row("status") == ("active",)
    tenancy.assert_whole()


@pytest.mark.parametrize("how", ["payload", "worker"])
def test_a_dry_run_only_tells(system, tenancy, enqueued, how):
    system.start(DRY_RUN="true" if how == "worker" else "false")
    job = tenancy.order(**({"dry_run": True} if how == "payload" else {}))
    told = system.event(job)["data"]
    assert re.fullmatch(r"[0-9a-f-]{36}", told.pop("release_job_id"))
    assert told == {
        "reservation_id": tenancy.id, "status": "cancelled", "domain_name": "training",
        "target_group_arn": tenancy.group, "pod_name": tenancy.pod, "content_s3_uri": None, "dry_run": True}
    tenancy.assert_whole()
    assert tenancy.row("status, reservation_ended") == ("active", None)
    assert enqueued("disk.release", "capacity.refresh") == []
    assert system.value("SELECT count(*) FROM domain_mappings") == 1 == system.value("SELECT count(*) FROM alb_target_groups")


def test_a_pod_of_that_name_that_is_anothers_stays(system, cluster, tenancy):
    cluster.pod(tenancy.pod)["metadata"]["annotations"]["gpu-dev-user-id"] = "bob"
    other = START + str(uuid.uuid4())[8:]
    system.add_reservation(other, user_id="bob", pod_name=tenancy.pod)
    system.start()
    tenancy.finish(tenancy.order())
    assert cluster.names("pods") == {tenancy.pod} and len(cluster.names("services")) == 3
    assert cluster.count(".*", "DELETE") == 0


def test_a_pod_and_services_that_are_gone_already_are_done(system, cluster, tenancy):
    cluster.remove("pods", tenancy.pod)
    cluster.remove("services", f"{tenancy.pod}-jupyter")
    system.start()
    tenancy.finish(tenancy.order())
    tenancy.assert_gone()


def forced(cluster) -> list[str]:
    """Requests that remove a pod though its node may not have ended it."""
    return [path for method, path in cluster.seen if method == "DELETE" and "/pods/" in path]


def overdue(cluster, pod: str, seconds: int) -> None:
    """The pod should have been gone so long ago."""
    cluster.pod(pod)["metadata"] |= {
        "deletionTimestamp": timestamp(-seconds), "deletionGracePeriodSeconds": 30}


@pytest.mark.parametrize(("seconds", "has_node", "is_forced"), [(590, True, False), (610, True, True), (5, False, True)])
def test_a_pod_that_does_not_end_is_forced_when_its_node_is_gone_or_had_ten_minutes(
        system, cluster, tenancy, seconds, has_node, is_forced):
    cluster.holds_terminating = True
    overdue(cluster, tenancy.pod, seconds)
    if not has_node:
        cluster.remove("nodes", "node-1")
    system.start()
    job = tenancy.order()
    if is_forced:
        tenancy.finish(job)
        tenancy.assert_gone()
    else:
        eventually("it was looked at twice", lambda: system.hurry() or system.value(
            "SELECT snoozes FROM job_ledger WHERE job_id = %s AND state = 'waiting'", job) == 2)
        assert forced(cluster) == [] and cluster.names("pods") == {tenancy.pod}


def test_a_node_that_cannot_be_read_is_not_gone(system, cluster, tenancy):
    cluster.holds_terminating = True
    overdue(cluster, tenancy.pod, 60)
    cluster.fail(r"/nodes/", 503, "ServiceUnavailable", times=10**6)
    system.start()
    job = tenancy.order()
    eventually("tries have failed", lambda: (system.state(job) or ("", 0))[1] >= 2)
    assert forced(cluster) == []


@pytest.fixture
def bucket(system, cluster) -> str:
    boto3.client("s3").create_bucket(Bucket="disk-contents", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    system.environment["DISK_CONTENTS_BUCKET"] = "disk-contents"
    return "disk-contents"


def begun(enqueued) -> tuple[str, dict]:
    """The id and the payload of the one job that lists the disk."""
    [(_, job, payload)] = eventually("the listing is enqueued", lambda: enqueued("disk.capture-contents"))
    return job, payload


def test_the_disk_is_listed_before_the_pod_ends_and_the_snapshot_names_the_listing(
        system, cluster, bucket, tenancy, enqueued):
    system.start()
    job = tenancy.order()
    listing, payload = begun(enqueued)
    assert payload == {"user_id": "alice", "disk_name": "home", "pod_name": tenancy.pod}
    for number in (1, 2, 3):
        eventually("it waits", lambda number=number: system.hurry() or system.value(
            "SELECT snoozes >= %s FROM job_ledger WHERE job_id = %s", number, job))
    assert "deletionTimestamp" not in cluster.pod(tenancy.pod)["metadata"]
    boto3.client("s3").put_object(
        Bucket=bucket, Key=f"alice/home/{listing}-contents.txt", Body=b"1.2G\t/home/dev\n---\n/home/dev\n")
    system.rows("UPDATE job_ledger SET state = 'succeeded' WHERE job_id = %s", listing)
    told = tenancy.finish(job)
    tenancy.assert_gone()
    uri = f"s3://{bucket}/alice/home/{listing}-contents.txt"
    assert told["content_s3_uri"] == uri
    [(_, _, release)] = enqueued("disk.release")
    assert (release["content_s3_uri"], release["disk_size"]) == (uri, "1.2G")
    assert len(enqueued("disk.capture-contents")) == 1


def test_a_reservation_ends_with_its_data_in_a_snapshot_that_names_the_listing(
        system, cluster, cloud, bucket, tenancy, enqueued):
    volume = cloud.create_volume("alice", "home")
    system.rows("UPDATE disks SET ebs_volume_id = %s", volume)
    cluster.on_exec([["stdout", "1.2G\t/home/dev\n---\n/home/dev\n"], ["exit", 0]])
    system.start(WORKER_QUEUES="disks,reservations,capacity")
    told = tenancy.finish(tenancy.order())
    eventually("the disk is free", lambda: system.hurry() or system.value("SELECT NOT in_use FROM disks"))
    [snapshot] = boto3.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    tags = {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]}
    assert tags.items() >= {
        "gpu-dev-user": "alice", "disk_name": "home", "SnapshotType": "cancellation", "disk_size": "1.2G",
        "snapshot_content_s3": told["content_s3_uri"], "gpu-dev-operation": told["release_job_id"]}.items()
    assert snapshot["VolumeId"] == volume
    assert volume not in [each["VolumeId"] for each in boto3.client("ec2").describe_volumes()["Volumes"]]
    listing = boto3.client("s3").get_object(Bucket=bucket, Key=told["content_s3_uri"].removeprefix(f"s3://{bucket}/"))
    assert listing["Body"].read() == b"1.2G\t/home/dev\n---\n/home/dev\n"
    assert cluster.names("pods") == set()


@pytest.mark.parametrize("state", ["dead", "late", "no object"])
def test_a_listing_that_cannot_be_had_is_done_without(system, bucket, tenancy, enqueued, state):
    system.start()
    job = tenancy.order()
    listing, _ = begun(enqueued)
    if state == "late":
        system.rows("UPDATE job_ledger SET created_at = now() - interval '61 s' WHERE job_id = %s", listing)
    else:
        ended = "dead" if state == "dead" else "succeeded"
        system.rows("UPDATE job_ledger SET state = %s WHERE job_id = %s", ended, listing)
    assert tenancy.finish(job)["content_s3_uri"] is None
    tenancy.assert_gone()
    assert "content_s3_uri" not in enqueued("disk.release")[0][2]


@pytest.mark.parametrize("without", ["disk", "running pod"])
def test_nothing_is_listed_without_a_disk_or_a_running_pod(system, cluster, bucket, tenancy, enqueued, without):
    if without == "disk":
        system.rows("UPDATE disks SET in_use = false")
    else:
        cluster.pod(tenancy.pod)["status"]["phase"] = "Failed"
    system.start()
    tenancy.finish(tenancy.order())
    assert enqueued("disk.capture-contents") == []
    assert len(enqueued("disk.release")) == (0 if without == "disk" else 1)


def test_where_host_names_are_not_set_up_only_the_claim_goes(system, cloud, enqueued):
    for name in cloud.settings():
        del system.environment[name]
    system.add_reservation("r-1", "queued")
    system.rows(
        "INSERT INTO domain_mappings (domain_name, node_ip, node_port, reservation_id, expires_at)"
        " VALUES ('training', '10.0.1.7', 30022, 'r-1', now())")
    system.start()
    told = system.event(system.publish(KIND, {"reservation_id": "r-1", "status": "cancelled"}))["data"]
    assert (told["domain_name"], told["target_group_arn"]) == ("training", None)
    assert system.rows("SELECT FROM domain_mappings") == []


def test_a_pod_that_nobody_can_look_for_keeps_its_reservation(system, cloud, enqueued):
    system.add_reservation("r-1", pod_name="gpu-dev-r-1")
    system.add_reservation("r-2", "queued")
    system.start()
    refused = system.event(system.publish(KIND, {"reservation_id": "r-1", "status": "cancelled"}))
    assert refused["data"]["code"] == "not-configured"
    done = system.event(system.publish(KIND, {"reservation_id": "r-2", "status": "cancelled"}))
    assert done["data"]["status"] == "cancelled"
    assert system.rows("SELECT status FROM reservations ORDER BY reservation_id") == [("active",), ("cancelled",)]
