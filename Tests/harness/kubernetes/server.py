"""An API server of Kubernetes that a test fills, and can make misbehave.

It does what the Kubernetes API reference says of pods, nodes, events, services, namespaces, access reviews and exec:
pages of one moment, `Status` bodies, selectors, graceful deletion, preconditions. What a test wants otherwise it orders
with `fail` and its like. An answer whose form the reference leaves open names where its form comes from.

Run as a program it takes one JSON array `[method, arguments]` a line and answers each with a line of JSON, for tests in
other languages. It ends when standard input does.
"""

import base64
import binascii
import contextlib
import copy
import dataclasses
import datetime
import http.server
import ipaddress
import json
import pathlib
import re
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.frames import Opcode
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

GPU = "nvidia.com/gpu"
KINDS = {"pods": "Pod", "nodes": "Node", "events": "Event", "services": "Service"}
FIELDS = {
    "pods": {
        "metadata.name", "metadata.namespace", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName",
        "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"},
    "nodes": {"metadata.name", "spec.unschedulable"},
    "services": {"metadata.name", "metadata.namespace", "spec.clusterIP", "spec.type"},
    "events": {
        "metadata.name", "metadata.namespace", "reason", "type", "reportingComponent", "source", "involvedObject.kind",
        "involvedObject.name", "involvedObject.namespace", "involvedObject.uid", "involvedObject.apiVersion"},
}
"""What each resource can be selected by; anything else is a bad request."""


class Authority:
    """A certificate authority, and certificates that it signs."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
        self.certificate = self._signed(self._name, self._key, is_authority=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, organisation: str = "", hosts: Iterable[str] = ()) -> tuple[bytes, bytes]:
        """A certificate and its key in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organisation:
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
        certificate = self._signed(x509.Name(attributes), key, hosts)
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def _signed(self, subject: x509.Name, key, hosts: Iterable[str] = (), is_authority: bool = False):
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True))
        names = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class Refusal(Exception):
    """An answer with a `Status` body."""

    def __init__(self, code: int, reason: str, message: str, details: dict | None = None, **headers: str) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers
        self.status = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "details": details or {}, "code": code}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A handshake that fails is the client's affair."""


@dataclasses.dataclass
class Failure:
    """What is answered instead of the truth, so many times."""

    pattern: str
    status: int
    reason: str
    times: int
    after: int
    method: str | None
    headers: dict[str, str]
    body: str | None
    kind: str


class KubernetesServer:
    """One cluster and its API server."""

    def __init__(self, directory: pathlib.Path | None = None) -> None:
        self.directory = pathlib.Path(directory or tempfile.mkdtemp())
        self.namespace = "gpu-dev"
        self.token = f"token-{uuid.uuid4().hex}"
        self.tokens = {self.token}
        """Those that are accepted."""
        self.accepts: Callable[[str], bool] = lambda token: False
        """Judges a token that is not in the list, as the webhook of EKS does."""
        self.shutdown_seconds = 0.3
        """How long processes of a pod take to end when asked to."""
        self.holds_terminating = False
        """Whether pods that are to end stay, as they do when their node is lost."""
        self.seen: list[tuple[str, str]] = []
        """Method and path with query of every request, in order."""
        self.executed: list[dict] = []
        """Pod, container, command and the protocol of every exec."""
        self.namespaces = {"default", "kube-system", self.namespace}
        """Those that exist; what is added in another makes it."""
        self.denied: list[list[str]] = []
        """Verb and resource, such as `["list", "pods"]`, that no role of the worker's grants."""
        self.is_starting = False
        """Whether it listens already and knows no roles yet."""
        self.removed: list[str] = []
        """`pods/NAME` of everything that is gone by a request, in order."""
        self._lock = threading.RLock()
        self._objects: dict[str, dict[tuple[str, str], dict]] = {kind: {} for kind in KINDS}
        self._ends: dict[tuple[str, str], float] = {}
        self._lists: dict[str, list[dict]] = {}
        self._failures: list[Failure] = []
        self._execs: list[tuple[str, list]] = []
        self._version = 1000
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._context: ssl.SSLContext
        self.renew_authority()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"https://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # How a client gets in

    def renew_authority(self) -> str:
        """From now on the server's certificate is signed by a new authority; returns that in PEM."""
        self.authority = Authority()
        hosts = ["127.0.0.1", "localhost", "api.cluster.example"]
        certificate, key = self._files("server", *self.authority.issue("kube-apiserver", hosts=hosts))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(cadata=self.authority.pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        self._context = context
        return self.authority.pem.decode()

    def kubeconfig(self, user: dict | None = None, name: str = "config", **cluster) -> str:
        """Writes one and returns its path; by default its user has the token."""
        content = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": self.url,
                "certificate-authority-data": base64.b64encode(self.authority.pem).decode()} | cluster}],
            "users": [{"name": "worker", "user": {"token": self.token} if user is None else user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "worker"}}],
        }
        path = self.directory / name
        path.write_text(json.dumps(content, indent=2))
        return str(path)

    def client_certificate(self, name: str = "gpudev-worker") -> tuple[str, str]:
        """The paths of a certificate that the server accepts and of its key."""
        return self._files("client", *self.authority.issue(name, organisation="system:masters"))

    def settings(self) -> dict[str, str]:
        """What a worker needs to use it."""
        return {"KUBECONFIG": self.kubeconfig(), "KUBERNETES_NAMESPACE": self.namespace}

    def set_tokens(self, *tokens: str) -> None:
        self.tokens = set(tokens)

    def _files(self, name: str, certificate: bytes, key: bytes) -> tuple[str, str]:
        paths = (self.directory / f"{name}.crt", self.directory / f"{name}.key")
        for path, content in zip(paths, (certificate, key), strict=True):
            path.write_bytes(content)
            path.chmod(0o600)
        return str(paths[0]), str(paths[1])

    # What there is

    def add_node(
        self, name: str, gpu_type: str = "", gpus: int | str = 0, ready: bool = True, unschedulable: bool = False,
        taints: Iterable[dict] = (), labels: dict | None = None, allocatable: int | str | None = None,
        instance: str = "i-0123456789abcdef0", zone: str = "us-east-2a",
    ) -> dict:
        labels = {"topology.kubernetes.io/zone": zone} | ({"GpuType": gpu_type} if gpu_type else {}) | (labels or {})
        amounts = {"cpu": "48", "memory": "196608Mi", "pods": "110"}
        gpus_allocatable = gpus if allocatable is None else allocatable
        return self._add("nodes", name, "", {
            "metadata": {"labels": labels},
            "spec": {"providerID": f"aws:///{zone}/{instance}"}
            | ({"unschedulable": True} if unschedulable else {}) | ({"taints": list(taints)} if taints else {}),
            "status": {
                "capacity": amounts | ({GPU: str(gpus)} if gpus else {}),
                "allocatable": amounts | {"cpu": "47920m"} | ({GPU: str(gpus_allocatable)} if gpus else {}),
                "conditions": [
                    {"type": "MemoryPressure", "status": "False", "lastTransitionTime": timestamp()},
                    {"type": "Ready", "status": "True" if ready else "Unknown", "lastTransitionTime": timestamp()}]},
        })

    def add_pod(
        self, name: str, node: str | None = None, gpus: int | str = 0, phase: str | None = None,
        namespace: str | None = None, labels: dict | None = None, annotations: dict | None = None,
        container: str = "gpu-dev", volume: str | None = None, **more,
    ) -> dict:
        """`more` replaces members of `spec` and `status` by name, such as `initContainers`."""
        phase = phase or ("Running" if node else "Pending")
        resources = {"requests": {"cpu": "500m"}}
        if gpus:
            resources = {"requests": {"cpu": "500m", GPU: str(gpus)}, "limits": {GPU: str(gpus)}}
        spec = {
            "containers": [{"name": container, "image": "gpu-dev:latest", "resources": resources}],
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 30}
        status: dict = {"phase": phase, "conditions": [], "containerStatuses": []}
        if node:
            spec["nodeName"] = node
            status["conditions"].append({"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp()})
        if phase == "Running":
            status["containerStatuses"].append({
                "name": container, "ready": True, "restartCount": 0, "image": "gpu-dev:latest",
                "state": {"running": {"startedAt": timestamp()}}, "lastState": {}})
        if volume:
            spec["volumes"] = [{"name": "dev-home", "awsElasticBlockStore": {"volumeID": volume, "fsType": "ext4"}}]
        for key, value in more.items():
            in_status = key in ("conditions", "containerStatuses", "initContainerStatuses", "reason", "podIP")
            (status if in_status else spec)[key] = value
        return self._add("pods", name, namespace or self.namespace, {
            "metadata": {
                "labels": {"app": "gpu-dev-pod", "reservation": name} if labels is None else labels,
                "annotations": annotations or {}},
            "spec": spec, "status": status})

    def add_pods(self, count: int, prefix: str = "filler", **more) -> None:
        for number in range(count):
            self.add_pod(f"{prefix}-{number:05}", **more)

    def add_service(self, name: str, node_port: int | None = None, namespace: str | None = None) -> dict:
        port = {"port": 22, "protocol": "TCP", "targetPort": 22} | ({"nodePort": node_port} if node_port else {})
        return self._add("services", name, namespace or self.namespace, {
            "spec": {"type": "NodePort" if node_port else "ClusterIP", "ports": [port]}, "status": {}})

    def add_event(self, pod: dict, message: str, reason: str = "FailedScheduling", seconds_ago: float = 0) -> dict:
        metadata = pod["metadata"]
        return self._add("events", f"{metadata['name']}.{uuid.uuid4().hex[:16]}", metadata["namespace"], {
            "involvedObject": {
                "kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"],
                "apiVersion": "v1"},
            "reason": reason, "message": message, "type": "Warning", "count": 1,
            "source": {"component": "default-scheduler"}, "lastTimestamp": timestamp(-seconds_ago), "eventTime": None})

    def pod(self, name: str, namespace: str | None = None) -> dict | None:
        """The pod itself, to look at or to change; None if it is gone."""
        with self._lock:
            self._settle()
            return self._objects["pods"].get((namespace or self.namespace, name))

    def names(self, kind: str) -> set[str]:
        with self._lock:
            self._settle()
            return {name for _, name in self._objects[kind]}

    @contextlib.contextmanager
    def hidden_pods(self) -> Iterator[None]:
        """Meanwhile there is no pod for anybody who asks."""
        with self._lock:
            pods, self._objects["pods"] = self._objects["pods"], {}
        try:
            yield
        finally:
            with self._lock:
                self._objects["pods"] = pods

    def remove(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Takes it away at once, as if somebody else had."""
        with self._lock:
            self._objects[kind].pop(("" if kind == "nodes" else namespace or self.namespace, name), None)

    def _add(self, kind: str, name: str, namespace: str, content: dict) -> dict:
        with self._lock:
            if namespace:
                self.namespaces.add(namespace)
            self._version += 1
            metadata = {
                "name": name, "uid": str(uuid.uuid4()), "resourceVersion": str(self._version),
                "creationTimestamp": timestamp()} | ({"namespace": namespace} if namespace else {})
            content["metadata"] = metadata | content.get("metadata", {})
            self._objects[kind][namespace, name] = content
            return content

    # What goes wrong

    def fail(
        self, pattern: str, status: int, reason: str = "", times: int = 1, after: int = 0, method: str | None = None,
        headers: dict | None = None, body: str | None = None, kind: str = "text/html",
    ) -> None:
        """Refuses the next requests whose path and query match, when `after` of them have been let through.

        Status 0 cuts the connection; with a body of its own the answer is as of some server on the way.
        """
        with self._lock:
            self._failures.append(Failure(pattern, status, reason, times, after, method, headers or {}, body, kind))

    def overload(self, pattern: str, times: int = 1, retry_after: str = "1") -> None:
        """Too many requests at once: a text, no `Status`.

        Source: Kubernetes manual, "API Priority and Fairness" (429 with `Retry-After`); that the body is a
        text was seen with Kubernetes 1.36. The wording was not compared with a server's.
        """
        self.fail(
            pattern, 429, times=times, headers={"Retry-After": retry_after, "X-Content-Type-Options": "nosniff"},
            body="Too many requests, please try again later.\n", kind="text/plain; charset=utf-8")

    def heal(self) -> None:
        with self._lock:
            self._failures.clear()

    def expire_pages(self) -> None:
        """Forgets the moments of all lists that somebody is in the middle of."""
        with self._lock:
            self._lists.clear()

    def on_exec(self, steps: list, containing: str = "") -> None:
        """What a command does whose text contains this; the latest order counts.

        Steps: ["stdout", TEXT or bytes], ["stdout64", BASE64], ["stderr", …], ["repeat", TEXT, TIMES],
        ["split", CHANNEL, [bytes…]] (one message in several frames), ["ping"], ["stall", SECONDS], ["exit", CODE],
        ["failure", REASON, MESSAGE], ["unreachable"] (the kubelet, so that nothing has run), ["close"] (without a
        status), ["cut"] (the connection).
        """
        with self._lock:
            self._execs.insert(0, (containing, steps))

    def count(self, pattern: str, method: str = "GET") -> int:
        """How many requests there were whose path and query match."""
        with self._lock:
            return sum(seen == method and re.search(pattern, path) is not None for seen, path in self.seen)

    # How it answers

    def _handler(self) -> type:
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def setup(self) -> None:
                self.request.settimeout(20)
                self.request = cluster._context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self) -> None:
                # Clients that go away in the middle are no error of the server's.
                with contextlib.suppress(OSError):
                    super().handle()

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                cluster._handle(self, body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _handle(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        with self._lock:
            self.seen.append((request.command, request.path))
            failure = self._next_failure(request)
        if failure and failure.status == 0:
            request.close_connection = True
            return
        try:
            if failure and failure.body is not None:
                send(request, failure.status, failure.body.encode(), failure.headers, failure.kind)
                return
            self._authenticate(request)
            if failure:
                raise Refusal(failure.status, failure.reason, "as the test wants it", **failure.headers)
            url = urllib.parse.urlparse(request.path)
            query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
            segments = [urllib.parse.unquote(segment) for segment in url.path.split("/")[1:]]
            if segments == ["readyz"]:
                self._readiness(request)
                return
            if segments[-1] == "exec":
                # The verb of the request, and of what it starts: newer servers ask for both.
                for verb in ("get", "create"):
                    self._authorize(verb, "pods/exec", segments[3], segments[5])
                self._exec(request, segments, query)
                return
            if segments[:2] == ["apis", "authorization.k8s.io"]:
                send(request, 201, json.dumps(self._review(request.command, segments[2:], body)).encode())
                return
            with self._lock:
                answer = self._answer(request.command, segments, query, body)
                content = json.dumps(answer).encode()
            send(request, 200, content)
        except Refusal as refusal:
            send(request, refusal.code, json.dumps(refusal.status).encode(), refusal.headers)
        except OSError:
            request.close_connection = True  # the client has gone

    def _next_failure(self, request: http.server.BaseHTTPRequestHandler) -> Failure | None:
        for failure in self._failures:
            if failure.times <= 0 or (failure.method or request.command) != request.command:
                continue
            if re.search(failure.pattern, request.path):
                if failure.after > 0:
                    failure.after -= 1
                    continue
                failure.times -= 1
                return failure
        return None

    def _authenticate(self, request: http.server.BaseHTTPRequestHandler) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token:
            if token in self.tokens or self.accepts(token):
                return
        elif request.connection.getpeercert():
            return
        raise Refusal(401, "Unauthorized", "Unauthorized")

    def _readiness(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Source: Kubernetes manual, "Kubernetes API health endpoints"."""
        if self.is_starting:
            failed = b"[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\nreadyz check failed\n"
            return send(request, 500, failed, kind="text/plain; charset=utf-8")
        return send(request, 200, b"ok", kind="text/plain; charset=utf-8")

    def _may(self, verb: str, resource: str) -> bool:
        return not self.is_starting and [verb, resource] not in [list(pair) for pair in self.denied]

    def _authorize(self, verb: str, resource: str, namespace: str | None, name: str | None) -> None:
        """Refuses what no role grants; while the server starts that is everything.

        Source: Kubernetes manual, "Using RBAC Authorization"; that all is refused while the server starts was seen with
        1.36. The wording of the sentence was not compared with a server's.
        """
        if self._may(verb, resource):
            return
        kind, _, _ = resource.partition("/")
        place = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        thing = f'{kind} "{name}"' if name else kind
        raise Refusal(
            403, "Forbidden",
            f'{thing} is forbidden: User "system:serviceaccount:gpudev-worker:gpudev-worker" cannot {verb} resource'
            f' "{resource}" in API group "" {place}', {"name": name, "kind": kind} if name else {"kind": kind})

    def _review(self, method: str, segments: list[str], body: bytes) -> dict:
        """Whether the caller may do something. Source: Kubernetes API reference, `SelfSubjectAccessReview` (v1)."""
        if (method, segments) != ("POST", ["v1", "selfsubjectaccessreviews"]):
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        if self.is_starting:
            raise Refusal(
                403, "Forbidden",
                "selfsubjectaccessreviews.authorization.k8s.io is forbidden: User"
                ' "system:serviceaccount:gpudev-worker:gpudev-worker" cannot create resource'
                ' "selfsubjectaccessreviews" in API group "authorization.k8s.io" at the cluster scope')
        review = json.loads(body)
        wanted = review["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (wanted["resource"], wanted.get("subresource"))))
        # `denied` is left out where it is false, and so is the reason of a refusal where there is none to tell.
        return review | {"status": {"allowed": self._may(wanted["verb"], resource)}}

    def _answer(self, method: str, segments: list[str], query: dict, body: bytes) -> dict:
        self._settle()
        if segments[:2] != ["api", "v1"]:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        rest, namespace = segments[2:], None
        if method == "GET" and len(rest) == 2 and rest[0] == "namespaces":
            return self._namespace(rest[1])
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        kind, name = rest[0], rest[1] if len(rest) > 1 else None
        if kind not in KINDS or len(rest) > 2 or (kind == "nodes") != (namespace is None) and name:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        verb = {"GET": "get" if name else "list", "DELETE": "delete"}.get(method)
        if verb:
            self._authorize(verb, kind, namespace, name)
        if method == "GET":
            if name:
                return {"kind": KINDS[kind], "apiVersion": "v1"} | self._find(kind, namespace, name)
            return self._list(kind, namespace, query)
        if method == "DELETE" and name:
            return self._delete(kind, namespace, name, query, json.loads(body or b"{}"))
        raise Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _namespace(self, name: str) -> dict:
        self._authorize("get", "namespaces", name, name)
        if name not in self.namespaces:
            raise Refusal(404, "NotFound", f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"})
        return {
            "kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name, "uid": str(uuid.uuid4())},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}

    def _find(self, kind: str, namespace: str | None, name: str) -> dict:
        found = self._objects[kind].get((namespace or "", name))
        if not found:
            raise Refusal(404, "NotFound", f'{kind} "{name}" not found', {"name": name, "kind": kind})
        return found

    def _list(self, kind: str, namespace: str | None, query: dict) -> dict:
        """A namespace that does not exist is empty, with status 200 (seen with Kubernetes 1.36)."""
        limit = int(query.get("limit", ["0"])[0])
        token = query.get("continue", [""])[0]
        if token:
            try:
                position = json.loads(base64.urlsafe_b64decode(token))
            except (ValueError, binascii.Error) as error:
                raise Refusal(400, "BadRequest", "continue key is not valid") from error
            if position["list"] not in self._lists:
                raise Refusal(
                    410, "Expired", "The provided continue parameter is too old to display a consistent list result.")
            name, start = position["list"], position["start"]
            items = self._lists[name]
        else:
            fields = selector(query.get("fieldSelector", [""])[0])
            for field, _, _ in fields:
                if field not in FIELDS[kind]:
                    raise Refusal(400, "BadRequest", f"field label not supported: {field}")
            labels = selector(query.get("labelSelector", [""])[0])
            items = [
                copy.deepcopy(item) for (place, _), item in sorted(self._objects[kind].items())
                if namespace in (None, place) and fits(item, fields, labels)]
            name, start = uuid.uuid4().hex, 0
            self._lists[name] = items
        page = items[start:start + limit] if limit else items[start:]
        metadata = {"resourceVersion": str(self._version)}
        if start + len(page) < len(items):
            position = json.dumps({"list": name, "start": start + len(page)}).encode()
            metadata["continue"] = base64.urlsafe_b64encode(position).decode()
            metadata["remainingItemCount"] = len(items) - start - len(page)
        return {"kind": f"{KINDS[kind]}List", "apiVersion": "v1", "metadata": metadata, "items": page}

    def _delete(self, kind: str, namespace: str | None, name: str, query: dict, options: dict) -> dict:
        found = self._find(kind, namespace, name)
        wanted = (options.get("preconditions") or {}).get("uid")
        actual = found["metadata"]["uid"]
        if wanted and wanted != actual:
            raise Refusal(
                409, "Conflict",
                f'Operation cannot be fulfilled on {kind} "{name}": the UID in the precondition ({wanted}) does not'
                f" match the UID in record ({actual}). The object might have been deleted and then recreated",
                {"name": name, "kind": kind})
        grace = options.get("gracePeriodSeconds")
        if grace is None and "gracePeriodSeconds" in query:
            grace = int(query["gracePeriodSeconds"][0])
        if kind == "pods" and self._terminate(namespace or "", found, grace):
            return {"kind": "Pod", "apiVersion": "v1"} | found
        del self._objects[kind][namespace or "", name]
        self.removed.append(f"{kind}/{name}")
        if kind == "pods":
            return {"kind": "Pod", "apiVersion": "v1"} | found
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": name, "kind": kind, "uid": actual}}

    def _terminate(self, namespace: str, pod: dict, grace: int | None) -> bool:
        """Marks a pod for its end; false if it goes at once."""
        if grace is None:
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        if grace == 0 or not pod["spec"].get("nodeName"):
            return False
        metadata = pod["metadata"]
        if "deletionTimestamp" not in metadata or grace < metadata["deletionGracePeriodSeconds"]:
            metadata["deletionTimestamp"] = timestamp(grace)
            metadata["deletionGracePeriodSeconds"] = grace
        self._ends.setdefault((namespace, metadata["name"]), time.monotonic() + min(grace, self.shutdown_seconds))
        return True

    def _settle(self) -> None:
        """Lets the kubelets end what is due."""
        if self.holds_terminating:
            return
        for place, end in list(self._ends.items()):
            if end <= time.monotonic():
                del self._ends[place]
                pod = self._objects["pods"].get(place)
                if pod and "deletionTimestamp" in pod["metadata"]:
                    del self._objects["pods"][place]
                    self.removed.append(f"pods/{place[1]}")

    # Exec

    def _exec(self, request: http.server.BaseHTTPRequestHandler, segments: list[str], query: dict) -> None:
        namespace, name = segments[3], segments[5]
        with self._lock:
            self._settle()
            pod = copy.deepcopy(self._find("pods", namespace, name))
            command = query.get("command", [])
            script = next((steps for text, steps in self._execs if text in " ".join(command)), [["exit", 0]])
        containers = [container["name"] for container in pod["spec"]["containers"]]
        container = query.get("container", containers[:1])[0]
        if not command:
            raise Refusal(400, "BadRequest", "you must specify at least 1 command for the container")
        if container not in containers:
            raise Refusal(400, "BadRequest", f"container {container} is not valid for pod {name}")
        if not pod["spec"].get("nodeName"):
            raise Refusal(400, "BadRequest", f"pod {name} does not have a host assigned")
        if pod["status"]["phase"] != "Running":
            # Only the kubelet knows, and the server has switched protocols before it asks.
            script = [[
                "failure", "InternalError",
                f'Internal error occurred: unable to upgrade connection: container not found ("{container}")']]
        socket = ExecSocket(request, f"/exec/{namespace}/{name}/{container}?{urllib.parse.urlparse(request.path).query}")
        with self._lock:
            self.executed.append({
                "pod": name, "container": container, "command": command, "protocol": socket.protocol})
        with contextlib.suppress(OSError):
            socket.play(script)
        request.close_connection = True


class ExecSocket:
    """The server's side of one exec: the frames are those of the library `websockets`."""

    CHANNELS = {"stdout": b"\x01", "stderr": b"\x02"}

    def __init__(self, request: http.server.BaseHTTPRequestHandler, kubelet_path: str) -> None:
        self._kubelet = f"https://10.0.1.7:10250{kubelet_path}"
        self._socket = request.connection
        offered = [Subprotocol(f"v{version}.channel.k8s.io") for version in (5, 4)]
        self._wire = ServerProtocol(subprotocols=offered, max_size=2**20)
        head = f"GET {request.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in request.headers.items())
        self._wire.receive_data(f"{head}\r\n".encode())
        [opening] = self._wire.events_received()
        response = self._wire.accept(opening)
        self._wire.send_response(response)
        self._flush()
        if response.status_code != 101:
            raise OSError("the handshake was refused")
        self.protocol = self._wire.subprotocol
        # An empty message on the lowest channel that can be written tells that the connection stands
        # (apiserver, package `wsstream` and the translator of remote commands).
        self._send(b"\x01")

    def play(self, steps: list) -> None:
        for name, *rest in steps:
            match name:
                case "stdout" | "stderr":
                    self._output(self.CHANNELS[name], as_bytes(rest[0]))
                case "stdout64":
                    self._output(b"\x01", base64.b64decode(rest[0]))
                case "repeat":
                    self._output(b"\x01", as_bytes(rest[0]) * rest[1])
                case "split":
                    self._split(self.CHANNELS[rest[0]], [as_bytes(piece) for piece in rest[1]])
                case "ping":
                    self._wire.send_ping(b"are you there?")
                    self._flush()
                    self._read_until(Opcode.PONG)
                case "stall":
                    self._stall(rest[0])
                case "exit":
                    self._status(rest[0])
                case "failure":
                    self._failure(rest[0], rest[1])
                case "unreachable":
                    self._failure("InternalError", "Internal error occurred: " + (
                        f'error sending request: Post "{self._kubelet}": dial tcp 10.0.1.7:10250: connect: connection'
                        " refused"))
                case "close":
                    break
                case "cut":
                    return
        self._wire.send_close(1000)
        self._flush()
        with contextlib.suppress(OSError):
            self._socket.settimeout(2)
            while self._socket.recv(65536):
                pass

    def _status(self, code: int) -> None:
        """How the command ended. A status on this channel has neither `kind` nor `apiVersion`, in both versions of the
        protocol.

        Source: `{"metadata":{},"status":"Success"}` is what Kubernetes 1.36 sent; `NonZeroExitCode` and `ExitCode` are constants of apimachinery's
        package `remotecommand`.
        """
        status: dict = {"metadata": {}, "status": "Success"}
        if code:
            status |= {
                "status": "Failure",
                "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
                "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}
        self._send(b"\x03" + json.dumps(status).encode())

    def _failure(self, reason: str, message: str) -> None:
        """What the server could not do after it had switched protocols, in a status of the same form.

        Source: Kubernetes 1.36 sent `InternalError` after the 101 for a kubelet that it could not reach. The wording of the
        message was not compared with a server's.
        """
        cause = {"message": message.removeprefix("Internal error occurred: ")}
        self._send(b"\x03" + json.dumps({
            "metadata": {}, "status": "Failure", "message": message, "reason": reason, "details": {"causes": [cause]},
            "code": 500}).encode())

    def _output(self, channel: bytes, content: bytes) -> None:
        """In messages of the size that the API server uses, which know nothing of characters."""
        for start in range(0, len(content), 32 << 10):
            self._send(channel + content[start:start + (32 << 10)])

    def _split(self, channel: bytes, pieces: list[bytes]) -> None:
        self._wire.send_binary(channel, fin=False)
        for number, piece in enumerate(pieces):
            self._wire.send_continuation(piece, fin=number == len(pieces) - 1)
            self._flush()

    def _stall(self, seconds: float) -> None:
        """Says nothing, but answers pings; ends early when the client goes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                self._read()
            except TimeoutError:
                return

    def _read_until(self, opcode: Opcode) -> None:
        self._socket.settimeout(10)
        while not any(getattr(event, "opcode", None) is opcode for event in self._read()):
            pass

    def _read(self) -> list:
        received = self._socket.recv(65536)
        if not received:
            raise OSError("the client has gone")
        self._wire.receive_data(received)
        self._flush()
        return self._wire.events_received()

    def _send(self, message: bytes) -> None:
        self._wire.send_binary(message)
        self._flush()

    def _flush(self) -> None:
        self._socket.settimeout(20)
        for data in self._wire.data_to_send():
            if data:
                self._socket.sendall(data)


def send(
    request: http.server.BaseHTTPRequestHandler, status: int, content: bytes, headers: dict | None = None,
    kind: str = "application/json",
) -> None:
    request.send_response_only(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)
    request.wfile.flush()


def selector(text: str) -> list[tuple[str, str, str]]:
    """Name, operator and value of each condition; a backslash escapes."""
    conditions = []
    for condition in re.findall(r"(?:\\.|[^,\\])+", text):
        match = re.fullmatch(r"(.+?)(==|!=|=)(.*)", condition)
        name, operator, value = match.groups() if match else (condition, "exists", "")
        conditions.append((name.strip(), operator, re.sub(r"\\(.)", r"\1", value)))
    return conditions


def fits(item: dict, fields: list, labels: list) -> bool:
    def value_at(path: str) -> str:
        value: object = item
        for key in path.split("."):
            value = value.get(key, "") if isinstance(value, dict) else ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    own = item["metadata"].get("labels") or {}
    return all((value_at(name) == value) == (operator != "!=") for name, operator, value in fields) and all(
        name in own if operator == "exists" else (own.get(name) == value) == (operator != "!=")
        for name, operator, value in labels)


def timestamp(seconds_from_now: float = 0) -> str:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds_from_now)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def serve_commands() -> None:
    """Takes orders by line; `get` reads an attribute, and all else is a method."""
    server = KubernetesServer()
    greeting = {"url": server.url, "token": server.token, "authority": server.authority.pem.decode()}
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        if name == "get":
            result = getattr(server, arguments["name"])
        elif name == "set":
            result = setattr(server, arguments["name"], arguments["value"])
        elif name == "set_tokens":
            result = server.set_tokens(*arguments["tokens"])
        else:
            result = getattr(server, name)(**arguments)
        print(json.dumps(sorted(result) if isinstance(result, set) else result), flush=True)


if __name__ == "__main__":
    serve_commands()
