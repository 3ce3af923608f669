"""What a cluster is told about the worker: rendered as `kubectl apply -k` would, judged by the schemas of its version."""

import json
import os
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from harness.kubernetes import custom_resources
from harness.machine import scaled
from harness.repository import ROOT
from harness.waiting import eventually
from harness.worker import Replica

K8S = ROOT / "k8s"
VERSIONS = ["1.31", "1.37"]
WITHOUT_KEDA = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [{k8s}/base, {k8s}/access]
components: [{k8s}/components/hpa, {k8s}/monitoring]
images: [{{name: gpudev-worker, newName: registry.example.com/gpudev-worker, newTag: 0.1.0}}]
"""


WITH_TRACES = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [{k8s}/overlays/production]
components: [{k8s}/components/traces]
"""


class Cluster:
    """The objects of one overlay."""

    def __init__(self, directory: Path) -> None:
        kubectl = Path(sys.executable).parent / "kubectl"
        result = subprocess.run([kubectl, "kustomize", directory], capture_output=True, text=True, timeout=scaled(60))
        assert result.returncode == 0, result.stderr
        assert not result.stderr, result.stderr
        self.objects = list(yaml.safe_load_all(result.stdout))

    def all(self, kind: str) -> list[dict]:
        return [object for object in self.objects if object["kind"] == kind]

    def one(self, kind: str) -> dict:
        (only,) = self.all(kind)
        return only

    @property
    def settings(self) -> dict[str, str]:
        (settings,) = (map["data"] for map in self.all("ConfigMap") if "AWS_REGION" in map["data"])
        return settings

    @property
    def pods(self) -> list[dict]:
        return [self.one(kind)["spec"]["template"] for kind in ("Deployment", "Job")]

    @property
    def worker(self) -> dict:
        (container,) = self.one("Deployment")["spec"]["template"]["spec"]["containers"]
        return container


def containers(pod: dict) -> list[dict]:
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


def overlay(text: str, directory: Path) -> Path:
    (directory / "kustomization.yaml").write_text(text.format(k8s=os.path.relpath(K8S, directory)))
    return directory


@pytest.fixture(scope="session")
def clusters(tmp_path_factory):
    overlays = {path.name: path for path in sorted((K8S / "overlays").iterdir())}
    overlays["without KEDA"] = overlay(WITHOUT_KEDA, tmp_path_factory.mktemp("overlay"))
    return {name: Cluster(directory) for name, directory in overlays.items()}


@pytest.fixture(params=["dev", "production", "without KEDA"])
def cluster(request, clusters):
    return clusters[request.param]


@pytest.fixture
def production(clusters):
    return clusters["production"]


@pytest.fixture
def dev(clusters):
    return clusters["dev"]


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|m|h)", duration).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def sources(*folders: str) -> str:
    files = (path for folder in folders for path in sorted((ROOT / "Sources" / folder).rglob("*.swift")))
    return "\n".join(path.read_text() for path in files)


def longest_deadline(settings: dict[str, str]) -> float:
    """Of the worker's default and of the kinds that have one of their own."""
    own = re.findall(r"var deadline: Duration\? (?:= |\{ )\.seconds\(([0-9]+)\)", sources("Capacity", "Disks", "Reservations"))
    return max([seconds(settings["WORKER_DEADLINE"]), *map(float, own)])


def test_each_overlay_is_tried(clusters):
    assert clusters.keys() == {"dev", "production", "without KEDA"}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cluster_knows_every_field(cluster, version):
    for object in cluster.objects:
        if schema := custom_resources.SCHEMAS.get((object["apiVersion"], object["kind"])):
            jsonschema.Draft202012Validator(schema).validate(object)
        else:
            kubernetes_validate.validate(object, version, strict=True)


def test_pods_meet_the_restricted_standard(cluster):
    namespace = cluster.one("Namespace")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in cluster.pods:
        whole = pod["spec"]["securityContext"]
        assert whole["runAsNonRoot"] is True and whole["runAsUser"] > 0 and whole["runAsGroup"] > 0
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys()
        assert all(not {"hostPath", "emptyDir"} & volume.keys() for volume in pod["spec"]["volumes"])
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }
            assert all(mount["readOnly"] for mount in container["volumeMounts"])
            assert container["resources"].keys() == {"requests", "limits"}


def test_every_pod_runs_one_version_that_has_a_name(cluster):
    (image,) = {container["image"] for pod in cluster.pods for container in containers(pod)}
    name, _, tag = image.rpartition(":")
    assert name and tag not in ("", "latest")


def test_probes_ask_the_admin_port(cluster):
    worker = cluster.worker
    assert {"name": "admin", "containerPort": int(cluster.settings["HTTP_PORT"])} in worker["ports"]
    for probe, path in {"startup": "/startupz", "readiness": "/readyz", "liveness": "/livez"}.items():
        assert worker[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "admin"}


def test_a_job_that_runs_may_end_before_its_pod_is_killed(cluster):
    grace = seconds(cluster.settings["WORKER_SHUTDOWN_GRACE"])
    assert grace > longest_deadline(cluster.settings)
    assert cluster.one("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= grace + 10


def test_a_rollout_never_has_fewer_replicas_and_nodes_can_be_drained(cluster):
    deployment = cluster.one("Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in deployment, "the scaler says how many; applying would set them back"
    assert cluster.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"
    assert "podAntiAffinity" in deployment["template"]["spec"]["affinity"]


def test_what_selects_the_worker_selects_its_pods_and_no_others(cluster):
    worker, migration = (pod["metadata"]["labels"].items() for pod in cluster.pods)
    chosen = [cluster.one(kind)["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")]
    chosen += [monitor["spec"]["selector"]["matchLabels"] for monitor in cluster.all("PodMonitor")]
    for labels in chosen:
        assert labels.items() <= worker and not labels.items() <= migration
    policy = cluster.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items()
    assert policy <= worker and policy <= migration


def test_nothing_but_broker_database_names_and_https_can_be_reached(cluster):
    policy = cluster.one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    reached = {}
    for rule in policy["egress"]:
        (peer,) = rule["to"]
        name = "anywhere" if "ipBlock" in peer else next(iter(peer["podSelector"]["matchLabels"].values()))
        reached[name] = {(port["protocol"], port["port"]) for port in rule["ports"]}
        assert "ipBlock" in peer or peer["namespaceSelector"]["matchLabels"], "a namespace is named"
    assert reached == {
        "kube-dns": {("UDP", 53), ("TCP", 53)}, "rabbitmq": {("TCP", 5672), ("TCP", 5671)},
        "postgresql": {("TCP", 5432), ("TCP", 6432)}, "anywhere": {("TCP", 443), ("TCP", 6443)},
    }
    (block,) = (peer["ipBlock"] for rule in policy["egress"] for peer in rule["to"] if "ipBlock" in peer)
    assert block["except"] == ["169.254.0.0/16"], "the node's own credentials stay closed"
    (ingress,) = policy["ingress"]
    assert [port["port"] for port in ingress["ports"]] == ["admin"]


def granted(roles: list[dict]) -> set[tuple[str, str]]:
    rules = [rule for role in roles for rule in role["rules"]]
    assert all(rule["apiGroups"] == [""] and rule.keys() == {"apiGroups", "resources", "verbs"} for rule in rules)
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def permission(operation: str) -> set[tuple[str, str]]:
    resource, verb = operation.split(".")
    if operation == "selfsubjectaccessreviews.create":
        return set()  # every account may ask what it may do (Kubernetes manual, default role `system:basic-user`)
    # A server asks for the verb of the request, or for create since it starts a process: both are in use.
    return {("pods/exec", "get"), ("pods/exec", "create")} if verb == "exec" else {(resource, verb)}


def methods_of_operations() -> dict[str, str]:
    """The client's method that asks for each operation."""
    client, methods = sources("Kubernetes"), {}
    for request in re.finditer(r'APIRequest\(\s*"([a-z]+\.[a-z]+)"', client):
        methods[request[1]] = re.findall(r"package func (\w+)\(", client[:request.start()])[-1]
    return methods


def test_the_worker_may_do_what_it_does_and_nothing_else(cluster):
    row = re.search(r"for Kubernetes (.+?) \|", (ROOT / "docs/metrics.md").read_text())[1]
    told = set(re.findall(r"`([a-z.]+)`", row))
    assert granted(cluster.all("Role") + cluster.all("ClusterRole")) == set().union(*map(permission, told))
    assert set(re.findall(r'APIRequest\(\s*"([a-z]+\.[a-z]+)"', sources("Kubernetes"))) == told
    users = sources("Capacity", "Disks", "Reservations", "GPUDevWorker")
    for operation, method in methods_of_operations().items():
        assert re.search(rf"\.{method}\(", users), f"nothing needs {operation}"
    # What the doctor asks for, each in its place.
    asked = {
        (match[3], match[2], match[1]) for match in re.finditer(
            r'Permission\("(\w+)", "([a-z/]+)", \.(\w+)\)', sources("Kubernetes"))}
    assert asked == {("namespace", *each) for each in granted(cluster.all("Role"))} | {
        ("cluster", *each) for each in granted(cluster.all("ClusterRole"))}
    account = {"kind": "ServiceAccount", "name": "gpudev-worker", "namespace": "gpudev-worker"}
    for binding in cluster.all("RoleBinding") + cluster.all("ClusterRoleBinding"):
        assert binding["subjects"] == [account]
    assert cluster.one("Role")["metadata"]["namespace"] == cluster.settings["KUBERNETES_NAMESPACE"]
    assert granted(cluster.all("ClusterRole")) == {
        ("nodes", "get"), ("nodes", "list"), ("pods", "list"), ("events", "list")}


def test_the_worker_executes_nothing_but_in_the_pods_of_reservations(cluster):
    """The policy speaks of the account, the namespace, the pods and the container that the worker knows."""
    policy, binding = (cluster.one(kind) for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"))
    assert "namespace" not in policy["metadata"] and "namespace" not in binding["metadata"]
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    spec = policy["spec"]
    assert spec["failurePolicy"] == "Fail"
    assert spec["matchConstraints"]["resourceRules"] == [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": ["pods/exec"]}]
    account = cluster.one("ServiceAccount")["metadata"]
    user = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    assert [each["expression"] for each in spec["matchConditions"]] == [f"request.userInfo.username == '{user}'"]
    container = re.search(r'static let container = "([^"]+)"', sources("Disks"))[1]
    prefix = re.search(r'"(gpu-dev-)\\\(id', sources("Reservations"))[1]
    assert [each["expression"] for each in spec["validations"]] == [
        f"request.namespace == '{cluster.settings['KUBERNETES_NAMESPACE']}' && request.name.startsWith('{prefix}')",
        f"has(object.container) && object.container == '{container}'"]


def test_spans_may_go_to_a_collector(tmp_path):
    cluster = Cluster(overlay(WITH_TRACES, tmp_path))
    for version in VERSIONS:
        for policy in cluster.all("NetworkPolicy"):
            kubernetes_validate.validate(policy, version, strict=True)
    (policy,) = (policy for policy in cluster.all("NetworkPolicy") if policy["metadata"]["name"].endswith("-traces"))
    (rule,) = policy["spec"]["egress"]
    endpoint = urllib.parse.urlparse(cluster.settings["OTEL_EXPORTER_OTLP_ENDPOINT"])
    assert [port["port"] for port in rule["ports"]] == [endpoint.port]
    assert policy["metadata"]["namespace"] == "gpudev-worker" and policy["spec"]["policyTypes"] == ["Egress"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= cluster.pods[0]["metadata"]["labels"].items()
    known = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', sources("OpenTelemetry")))
    assert {name for name in cluster.settings if name.startswith("OTEL_")} <= known


def test_only_the_worker_has_tokens(cluster):
    worker, migration = (pod["spec"] for pod in cluster.pods)
    assert cluster.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert worker["serviceAccountName"] == "gpudev-worker" and worker["automountServiceAccountToken"] is True
    assert "serviceAccountName" not in migration and migration["automountServiceAccountToken"] is False
    role = cluster.one("ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert re.fullmatch(r"arn:aws:iam::[0-9]{12}:role/[\w+=,.@-]+", role)


def test_secrets_are_files_and_none_is_written_down(cluster):
    assert not cluster.all("Secret")
    for pod, secret in zip(cluster.pods, ("gpudev-worker", "gpudev-worker-migration"), strict=True):
        (volume,) = pod["spec"]["volumes"]
        map, mounted = volume["projected"]["sources"]
        assert map["configMap"]["name"].startswith("gpudev-worker-"), "a change of settings is a rollout"
        assert mounted == {"secret": {"name": secret}}
        for container in containers(pod):
            assert [variable["name"] for variable in container["env"]] == ["CONFIG_DIRECTORY"]
            assert "envFrom" not in container
    assert not {"AMQP_URL", "DATABASE_URL", "DATABASE_DIRECT_URL"} & cluster.settings.keys()


def test_every_setting_is_one_that_the_program_reads(cluster):
    known = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', sources("GPUDevWorker/Configuration", "AWS")))
    assert {*cluster.settings, "CONFIG_DIRECTORY"} <= known


def test_the_program_takes_the_settings_as_the_kubelet_lays_them_out(cluster, tmp_path):
    """A projected volume: the files are in a directory of their own, behind a link, and linked to from beside it."""
    settings = cluster.settings | {
        "AMQP_URL": "amqp://worker:secret@127.0.0.1:9/", "DATABASE_URL": "postgresql://worker@127.0.0.1:9/gpudev",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    volume = tmp_path / "volume"
    (volume / "..2026_01_01").mkdir(parents=True)
    (volume / "..data").symlink_to("..2026_01_01")
    for name, value in settings.items():
        (volume / "..data" / name).write_text(value + "\n")
        (volume / name).symlink_to(f"..data/{name}")
    mounted = cluster.worker["volumeMounts"][0]["mountPath"]
    (directory,) = (variable["value"] for variable in cluster.worker["env"])
    environment = {
        "CONFIG_DIRECTORY": directory.replace(mounted, str(volume)), "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "HTTP_PORT": "0",
    }
    log = tmp_path / "worker.log"
    worker = Replica(environment, log)
    try:
        eventually("the settings are good, though nobody answers",
                   lambda: "PostgreSQL is unreachable" in log.read_text() or not worker.is_alive)
        assert worker.is_alive, log.read_text()
    finally:
        worker.kill()


def test_migration_goes_first_with_rights_of_its_own(cluster):
    job, deployment = cluster.one("Job"), cluster.one("Deployment")
    assert [container["args"] for container in containers(job["spec"]["template"])] == [
        ["migrate"], ["topology", "declare"]]
    wave = "argocd.argoproj.io/sync-wave"
    assert job["metadata"]["annotations"][wave] < deployment["metadata"]["annotations"][wave]
    assert job["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def most_of_a_queue(settings: dict[str, str], queues: int) -> int:
    """How many jobs of one queue a replica runs at once while the others rest: not what is promised to them."""
    slots = int(settings["WORKER_CONCURRENCY"])
    return slots - (queues - 1) * max(1, slots // (2 * queues))


def test_keda_counts_what_is_being_worked_on(dev, production):
    families = set(re.findall(r'JobFamily\("\w+", queue: "(\w+)"\)', sources("Platform")))
    for cluster in (dev, production):
        scaler = cluster.one("ScaledObject")["spec"]
        queues = [trigger for trigger in scaler["triggers"] if trigger["type"] == "rabbitmq"]
        assert {trigger["metadata"]["queueName"] for trigger in queues} == {f"gpudev.{name}" for name in families}
        for trigger in queues:
            assert trigger["metadata"]["protocol"] == "http"
            assert trigger["metadata"]["excludeUnacknowledged"] == "false"
            assert int(trigger["metadata"]["value"]) == most_of_a_queue(cluster.settings, len(queues)) * 3 // 2
            assert trigger["authenticationRef"]["name"] in names(cluster.all("TriggerAuthentication"))
        assert scaler["cooldownPeriod"] > longest_deadline(cluster.settings)


def names(objects: list[dict]) -> set[str]:
    return {object["metadata"]["name"] for object in objects}


def test_dev_goes_to_zero_and_wakes_for_its_outbox(dev):
    scaler = dev.one("ScaledObject")["spec"]
    assert scaler["minReplicaCount"] == 0
    (outbox,) = (trigger for trigger in scaler["triggers"] if trigger["type"] == "postgresql")
    assert outbox["authenticationRef"]["name"] in names(dev.all("TriggerAuthentication"))
    assert dev.settings["DRY_RUN"] == "true"


def test_the_outbox_query_of_keda_is_one_that_postgresql_takes(dev, database):
    (outbox,) = (t for t in dev.one("ScaledObject")["spec"]["triggers"] if t["type"] == "postgresql")
    database.execute("SELECT enqueue_job('disk.create', '{}')")
    database.execute("SELECT enqueue_job('disk.create', '{}', run_at => now() + interval '1 hour')")
    assert database.execute(outbox["metadata"]["query"]).fetchone() == (1,)


def test_production_never_goes_to_zero_and_keeps_within_what_aws_allows(production):
    scaler = production.one("ScaledObject")["spec"]
    assert scaler["minReplicaCount"] >= 2
    assert float(production.settings["AWS_RATE_FACTOR"]) * scaler["maxReplicaCount"] <= 1
    assert "DRY_RUN" not in production.settings


def test_a_cluster_without_keda_scales_by_cpu(clusters):
    cluster = clusters["without KEDA"]
    assert not cluster.all("ScaledObject")
    scaler = cluster.one("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == cluster.one("Deployment")["metadata"]["name"]
    assert scaler["minReplicas"] >= 2


def test_prometheus_finds_the_port_and_grafana_the_dashboard(production):
    (endpoint,) = production.one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in production.worker["ports"]}
    assert endpoint["path"] == "/metrics"
    (dashboard,) = (map for map in production.all("ConfigMap") if "gpudev-worker.json" in map["data"])
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["gpudev-worker.json"])["uid"] == "gpudev-worker"
