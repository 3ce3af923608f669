"""How much can be reserved: what a cluster and its scaling groups hold, against what PostgreSQL and the event say."""

import base64
import json
import time
import urllib.parse

import boto3
import pytest

from harness.waiting import eventually

TYPES = {
    "t4": ("g4dn.12xlarge", 4), "t4-small": ("g4dn.2xlarge", 1), "h100": ("p5.48xlarge", 8),
    "cpu-x86": ("c7i.8xlarge", 0)}
COLUMNS = (
    "total_cluster_gpus, available_gpus, max_reservable, full_nodes_available, running_instances, desired_capacity")
PREFIX = "pytorch-gpu-dev-gpu-nodes"


@pytest.fixture
def cluster(system, kubernetes):
    """A worker system with a cluster and four types of machines."""
    system.environment |= kubernetes.settings()
    for name, (instance, gpus) in TYPES.items():
        system.rows(
            "INSERT INTO gpu_types (gpu_type, instance_type, max_gpus, cpus, memory_gb) VALUES (%s, %s, %s, 48, 192)",
            name, instance, gpus)
    return kubernetes


def add_group(name: str, desired: int) -> None:
    scaling = boto3.client("autoscaling")
    if not scaling.describe_launch_configurations()["LaunchConfigurations"]:
        scaling.create_launch_configuration(
            LaunchConfigurationName="any", ImageId="ami-12345678", InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name, LaunchConfigurationName="any", MinSize=0, MaxSize=99, DesiredCapacity=desired,
        AvailabilityZones=["us-east-2a"])


def numbers(system, name: str) -> tuple:
    return system.rows(f"SELECT {COLUMNS} FROM gpu_types WHERE gpu_type = %s", name)[0]


def refresh(system) -> dict:
    return system.event(system.publish("capacity.refresh", {}))


def test_types_whose_names_begin_alike_are_counted_apart(system, cluster):
    """Availability with scaling groups of t4 and of t4-small."""
    add_group(f"{PREFIX}-t4", 2)
    add_group(f"{PREFIX}-t4-small", 3)
    cluster.add_node("t4-a", "t4", 4)
    cluster.add_node("t4-b", "t4", 4)
    for number in range(3):
        cluster.add_node(f"small-{number}", "t4-small", 1)
    cluster.add_pod("gpu-dev-aaaaaaaa", "t4-a", gpus=3)
    cluster.add_pod("gpu-dev-bbbbbbbb", "small-0", gpus=1)
    system.start()
    event = refresh(system)
    assert event["type"] == "capacity.refresh.completed" and event["subject"] == "capacity"
    assert numbers(system, "t4") == (8, 5, 4, 1, 2, 2)
    assert numbers(system, "t4-small") == (3, 2, 1, 2, 3, 3)
    assert numbers(system, "h100") == (0, 0, 0, 0, 0, 0)
    told = {entry["gpu_type"]: entry for entry in event["data"]["types"]}
    assert set(told) == set(TYPES) and told["t4"]["available_gpus"] == 5 and told["t4"]["used_gpus"] == 3
    [(moments, updaters)] = system.rows(
        "SELECT count(DISTINCT last_availability_update), count(DISTINCT last_availability_updated_by) FROM gpu_types"
        " WHERE last_availability_updated_by <> ''")
    assert (moments, updaters) == (1, 1), "all types bear one time and one name"


def test_only_what_a_pod_could_get_now_is_available(system, cluster):
    """Cordoned, tainted and unready nodes, pods that have ended, init containers and sidecars."""
    cluster.add_node("good", "t4", 4, taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}])
    cluster.add_node("cordoned", "t4", 4, unschedulable=True)
    cluster.add_node("tainted", "t4", 4, taints=[{"key": "maintenance", "effect": "NoExecute"}])
    cluster.add_node("unready", "t4", 4, ready=False)
    cluster.add_node("reserved", "t4", 4, allocatable=3)
    gpu = {"resources": {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}}
    cluster.add_pod("gpu-dev-sidecar", "good", gpus=1, initContainers=[
        {"name": "side", "restartPolicy": "Always"} | gpu, {"name": "first"} | gpu])
    cluster.add_pod("gpu-dev-done", "good", gpus=2, phase="Succeeded")
    cluster.add_pod("gpu-dev-dead", "good", gpus=2, phase="Failed")
    cluster.add_pod("gpu-dev-bound", "reserved", gpus=1, phase="Pending")
    cluster.add_pod("gpu-dev-shut-in", "cordoned", gpus=1)
    system.start()
    told = {entry["gpu_type"]: entry for entry in refresh(system)["data"]["types"]}["t4"]
    # good: 4 - 2, reserved: 3 - 1; used: 2 + 1 + 1
    assert numbers(system, "t4") == (20, 4, 2, 0, 0, 0)
    assert (told["used_gpus"], told["unavailable_gpus"]) == (4, 12)


def test_large_machines_may_be_joined_and_cpu_machines_have_slots(system, cluster):
    add_group("pytorch-gpu-dev-cpu-nodes", 2)
    for number in range(5):
        cluster.add_node(f"h100-{number}", "h100", 8)
    for number in range(2):
        cluster.add_node(f"cpu-{number}", "cpu-x86", labels={"NodeType": "cpu"})
    cluster.add_pod("gpu-dev-cccccccc", "cpu-0")
    cluster.add_pod("gpu-dev-dddddddd", "cpu-0", phase="Succeeded")
    cluster.add_pod("kube-proxy-x", "cpu-0", namespace="kube-system")
    system.start()
    refresh(system)
    assert numbers(system, "h100") == (40, 40, 32, 5, 0, 0)
    assert numbers(system, "cpu-x86") == (6, 5, 1, 5, 2, 2)


def test_a_run_makes_one_listing_of_each_however_many_nodes_and_groups_there_are(system, cluster, proxy):
    system.environment["AWS_ENDPOINT_URL"] = proxy.url
    for number in range(60):
        add_group(f"{PREFIX}-t4-{number:02}", 1)
    for number in range(40):
        cluster.add_node(f"n{number}", "t4", 4)
    cluster.add_pods(1200, node="n1")
    system.start()
    refresh(system)
    assert numbers(system, "t4")[4:] == (60, 60), "more groups than one page of 50 are counted"
    lists = [path for _, path in cluster.seen]
    assert sum("/nodes" in path for path in lists) == 1
    assert sum("/pods" in path for path in lists) == 3, "1,200 pods in pages of 500"
    assert sum("/events" in path for path in lists) == 0
    assert proxy.count("DescribeAutoScalingGroups") == 1


@pytest.mark.parametrize("listing", ["/nodes", "/pods", "DescribeAutoScalingGroups"])
def test_what_cannot_be_read_leaves_the_old_numbers(system, cluster, proxy, listing):
    system.environment["AWS_ENDPOINT_URL"] = proxy.url
    system.environment["WORKER_MAX_ATTEMPTS"] = "1"
    cluster.add_node("t4-a", "t4", 4)
    add_group(f"{PREFIX}-t4", 1)
    system.start()
    refresh(system)
    before = system.rows(f"SELECT gpu_type, {COLUMNS}, last_availability_update FROM gpu_types ORDER BY 1")
    if listing.startswith("/"):
        cluster.fail(listing, 500, "InternalError", times=99)
    else:
        proxy.refuse(listing, 503, "ServiceUnavailable")
    cluster.add_node("t4-b", "t4", 4)
    event = refresh(system)
    assert event["type"] == "capacity.refresh.failed"
    assert system.rows(f"SELECT gpu_type, {COLUMNS}, last_availability_update FROM gpu_types ORDER BY 1") == before


def test_half_a_gpu_is_refused(system, cluster):
    system.environment["WORKER_MAX_ATTEMPTS"] = "1"
    cluster.add_node("t4-a", "t4", 4)
    cluster.add_pod("odd", "t4-a", gpus="500m")
    system.start()
    event = refresh(system)
    assert (event["data"]["code"], event["type"]) == ("uncountable-gpus", "capacity.refresh.failed")
    assert numbers(system, "t4")[0] == 0
    cluster.pod("odd")["spec"]["containers"][0]["resources"] = {"requests": {"nvidia.com/gpu": "2000m"}}
    assert refresh(system)["type"] == "capacity.refresh.completed"
    assert numbers(system, "t4")[1] == 2


def test_pods_that_wait_say_why(system, cluster):
    """The pod's own condition comes first, else the newest event about this very pod."""
    cluster.add_node("t4-a", "t4", 4)
    own = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes fit"}]
    cluster.add_pod("gpu-dev-own", gpus=8, conditions=own, nodeSelector={"GpuType": "t4"})
    by_event = cluster.add_pod("gpu-dev-event", gpus=8)
    cluster.add_event(by_event, "new", seconds_ago=10)
    cluster.add_event(by_event, "old", seconds_ago=900)
    namesake = {"metadata": by_event["metadata"] | {"uid": "another"}}
    cluster.add_event(namesake, "of another pod of this name", seconds_ago=1)
    cluster.add_pod("gpu-dev-bound", "t4-a", gpus=1, phase="Pending")
    cluster.add_pod("no-gpus")
    system.start()
    waiting = {pod["pod_name"]: pod for pod in refresh(system)["data"]["waiting_pods"]}
    assert set(waiting) == {"gpu-dev-own", "gpu-dev-event"}
    assert waiting["gpu-dev-own"]["reason"] == "0/1 nodes fit" and waiting["gpu-dev-own"]["gpu_type"] == "t4"
    assert waiting["gpu-dev-event"]["reason"] == "new"
    assert cluster.count("/events") == 1


def test_those_who_wait_are_told_where_they_stand(system, cluster):
    cluster.add_node("t4-a", "t4", 4)
    cluster.add_pod("gpu-dev-aaaaaaaa", "t4-a", gpus=4)

    def add(name: str, status: str, gpus: int, created: str, hours: float = 2, **more) -> None:
        values = {
            "reservation_id": name, "user_id": "alice", "status": status, "gpu_type": "t4", "gpu_count": gpus,
            "duration_hours": hours} | more
        marks = ", ".join(["%s"] * len(values))
        system.rows(
            f"INSERT INTO reservations ({', '.join(values)}, created_at)"
            f" VALUES ({marks}, now() - interval '{created}')",
            *values.values())

    expiry = system.value("SELECT now() + interval '90 min'")
    add("active", "active", 4, "1 h", pod_name="gpu-dev-aaaaaaaa", expires_at=expiry)
    add("first", "queued", 4, "10 min")
    add("second", "queued", 2, "5 min")
    add("huge", "queued", 64, "4 min")
    add("young", "queued", 1, "5 s", current_detailed_status="just come")
    add("pending", "pending", 1, "10 min", current_detailed_status="being made")
    system.start()
    refresh(system)
    told = dict(system.rows("SELECT reservation_id, current_detailed_status FROM reservations"))
    assert told["first"] == "Position 1 in the queue for 4 t4 GPUs: about 90 minutes"
    assert told["second"] == "Position 2 in the queue for 2 t4 GPUs: about 210 minutes"
    assert told["huge"] == "Position 3 in the queue for 64 t4 GPUs: it is not known when there will be enough"
    assert told["young"] == "just come" and told["pending"] == "being made" and told["active"] is None


def test_without_a_cluster_it_is_refused_and_not_scheduled(system):
    system.start()
    event = refresh(system)
    assert (event["type"], event["data"]["code"]) == ("capacity.refresh.failed", "not-configured")
    names = {name for name, in system.rows("SELECT name FROM job_schedules")}
    assert not names & {"capacity.refresh", "reservation.sweep"}


def test_with_a_cluster_it_recurs(system, cluster):
    system.start()
    eventually(
        "the schedule is there", lambda: system.rows("SELECT 1 FROM job_schedules WHERE name = 'capacity.refresh'"))


def test_a_token_file_that_is_replaced_is_read_again(system, cluster):
    """A projected token is rotated while the worker runs."""
    token = cluster.directory / "token"
    token.write_text(cluster.token)
    system.environment["KUBECONFIG"] = cluster.kubeconfig({"tokenFile": str(token)})
    cluster.add_node("t4-a", "t4", 4)
    system.start()
    refresh(system)
    token.write_text("second")
    cluster.set_tokens("second")
    assert refresh(system)["type"] == "capacity.refresh.completed"
    assert cluster.count("/nodes") == 3, "one refusal, one renewal"


def test_a_cluster_of_eks_is_found_by_name_and_a_refused_token_is_made_anew_once(system, cluster, proxy):
    """DescribeCluster is asked once; the token names the cluster and is signed."""
    description = {"cluster": {
        "name": "dev", "endpoint": cluster.url, "status": "ACTIVE",
        "certificateAuthority": {"data": base64.b64encode(cluster.authority.pem).decode()}}}
    proxy.before("/clusters/dev", lambda _: (200, json.dumps(description)))
    del system.environment["KUBECONFIG"]
    system.environment |= {"EKS_CLUSTER_NAME": "dev", "AWS_ENDPOINT_URL": proxy.url}
    tokens: list[str] = []

    def accepts(token: str) -> bool:
        """As the webhook of EKS: it decodes the URL and looks at what was signed, and here refuses the second."""
        text = token.removeprefix("k8s-aws-v1.")
        url = urllib.parse.urlparse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        assert query["Action"] == "GetCallerIdentity" and "x-k8s-aws-id" in query["X-Amz-SignedHeaders"]
        if token not in tokens:
            tokens.append(token)
        return token not in refused

    refused: set[str] = set()
    cluster.set_tokens()
    cluster.accepts = accepts
    cluster.add_node("t4-a", "t4", 4)
    system.start()
    assert refresh(system)["type"] == "capacity.refresh.completed"
    assert len(tokens) == 1 and numbers(system, "t4")[1] == 4
    refused.add(tokens[0])
    # The time of a signature has no fractions: within one second the same token would be made.
    time.sleep(1.1)
    before = len(cluster.seen)
    assert refresh(system)["type"] == "capacity.refresh.completed"
    assert len(tokens) == 2 and proxy.count("/clusters/dev") == 1
    assert len(cluster.seen) - before == 3, "nodes twice, pods once"


def test_the_doctor_looks_at_the_cluster(system, cluster):
    cluster.add_node("t4-a", "t4", 4)
    assert "1 nodes" in system.call("doctor")
    cluster.fail("/nodes", 403, "Forbidden", times=9)
    result = system.run("doctor")
    assert result.returncode == 1 and "Forbidden" in result.stdout and cluster.token not in result.stdout


def test_a_way_to_the_cluster_that_cannot_work_is_told_at_the_start(system, tmp_path):
    settings = {"KUBECONFIG": str(tmp_path / "absent"), "KUBERNETES_NAMESPACE": "Gpu", "DISK_CONTENTS_BUCKET": "s3://b"}
    result = system.run("run", **settings)
    assert result.returncode == 78
    result = system.run("run", **settings | {"KUBERNETES_NAMESPACE": "gpu"})
    for fault in ("KUBECONFIG names no file that exists", "DISK_CONTENTS_BUCKET must be"):
        assert fault in result.stdout + result.stderr
