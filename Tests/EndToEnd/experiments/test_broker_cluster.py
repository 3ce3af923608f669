"""RabbitMQ as three nodes, so that each queue has three members, of which one dies or is cut off."""

import socket
import time
import uuid

import pika
import pytest

from harness.cluster import NODES, amqp_ports, api_ports, three_nodes
from harness.network.fault_proxy import FaultProxy
from harness.services import services
from harness.waiting import eventually

# The nodes are started once, so these experiments stay in one lane.
pytestmark = pytest.mark.xdist_group("cluster")

CLUSTER = "RabbitMQ as three nodes: the leader's is killed or cut off"
DEATHS_ALLOWED = 20


class Service(FaultProxy):
    """Stands before the nodes as a load balancer does: a new connection goes to the first node that takes it."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        super().__init__("127.0.0.1", ports[0])

    @property
    def target(self) -> tuple[str, int]:
        return "127.0.0.1", next((port for port in self.ports if is_open(port)), self.ports[0])

    @target.setter
    def target(self, address: tuple[str, int]) -> None:
        assert address[1] in self.ports


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Cluster:
    """Three nodes. All queues are led by the first, where they were declared; producers come by the second."""

    def __init__(self) -> None:
        self.first, second, third = amqp_ports()
        self.producers = Service([self.first, second, third])
        self.ways = [Service([self.first, second, third]), Service([third, second, self.first])]
        self.api = Service(list(reversed(api_ports())))

    def attend(self, experiment) -> None:
        """Sends the producers to the second node, once each queue has its three members."""
        for queue in ("disks", "reservations", "capacity", "disks.dead", "capacity.dead"):
            found = eventually(f"{queue} has three members", lambda queue=queue: self._members(experiment, queue), 20)
            assert found.partition("@")[0].endswith("-1"), f"{queue} is led by {found}"
        first, second, third = self.producers.ports
        self.producers.ports = [second, third, first]
        self.producers.reset()
        experiment.connect()

    @staticmethod
    def _members(experiment, queue: str) -> str | None:
        status = experiment.queue(queue)
        return status["leader"] if len(status.get("online", [])) == 3 else None

    def start_workers(self, experiment, **settings) -> None:
        """One replica comes by the leaders' node, the other by the third."""
        for way in self.ways:
            experiment.start(AMQP_URL=f"amqp://guest:guest@127.0.0.1:{way.port}/", **settings)

    def cut_off(self, node: str) -> None:
        """Parts a node from the two others: no connection stands, and none is made, from either side."""
        evaluate(node, """
            Others = nodes(),
            [rpc:call(Other, erlang, set_cookie, [node(), none_of_ours]) || Other <- Others],
            [erlang:set_cookie(Other, none_of_theirs) || Other <- Others],
            [erlang:disconnect_node(Other) || Other <- Others].""")

    def join(self) -> None:
        """Lets every node talk to every other again."""
        for node in NODES:
            evaluate(node, """
                {ok, Names} = erl_epmd:names(),
                Nodes = [list_to_atom(Name ++ "@localhost") || {Name, _} <- Names],
                [erlang:set_cookie(Other, erlang:get_cookie()) || Other <- Nodes -- [node()]].""")

    def close(self) -> None:
        for proxy in (self.producers, self.api, *self.ways):
            proxy.close()


def evaluate(node: str, expression: str) -> None:
    services("ctl", node, "eval", " ".join(expression.split()))


@pytest.fixture(scope="module")
def nodes():
    with three_nodes():
        yield


@pytest.fixture
def cluster(nodes, monkeypatch):
    services("start", *NODES)
    cluster = Cluster()
    monkeypatch.setenv("GPUDEV_TEST_AMQP_URL", f"amqp://guest:guest@127.0.0.1:{cluster.producers.port}/")
    monkeypatch.setenv("GPUDEV_TEST_RABBITMQ_API", f"http://127.0.0.1:{cluster.api.port}")
    yield cluster
    cluster.close()


@pytest.mark.experiment(5, CLUSTER)
def test_the_leader_is_killed(cluster, experiment):
    cluster.attend(experiment)
    cluster.start_workers(experiment)
    with experiment.flooding(200, per_second=15):
        time.sleep(2)
        for _ in range(experiment.size(1, 3)):
            services("stop", "rabbitmq-1", "--kill")
            experiment.recover(15)
            services("start", "rabbitmq-1")
            experiment.recover(15)
    experiment.verdict()
    assert experiment.count("job_ledger WHERE attempts > 1") == 0


@pytest.mark.experiment(5, CLUSTER)
@pytest.mark.whole
def test_the_leader_is_cut_off(cluster, experiment):
    """The two others elect new leaders; the node that is alone pauses, and comes back when the wire is mended."""
    cluster.attend(experiment)
    cluster.start_workers(experiment)
    with experiment.flooding(200, per_second=15):
        time.sleep(2)
        cluster.cut_off("rabbitmq-1")
        eventually("the node that is alone has paused", lambda: not is_open(cluster.first), 20)
        experiment.recover(20)
        time.sleep(experiment.size(3, 30))
        cluster.join()
        experiment.recover(15)
    eventually("each queue has three members again", lambda: len(experiment.queue("disks").get("online", [])) == 3, 60)
    experiment.verdict()
    assert experiment.count("job_ledger WHERE attempts > 1") == 0


@pytest.mark.experiment(5, CLUSTER)
@pytest.mark.whole
def test_the_brokers_own_letters_outlive_the_leader(cluster, experiment):
    """What wore out its deliveries and what is too large to bury are on their way when the leader dies."""
    cluster.attend(experiment)
    worn = publish_raw(experiment, "capacity.refresh", experiment.size(30, 200), b"{}")
    for _ in range(DEATHS_ALLOWED + 1):
        return_all(experiment, "capacity")
    cluster.start_workers(experiment, WORKER_QUEUES="disks,reservations")
    large = publish_raw(experiment, "disk.create", 2, bytes((16 << 20) + 1))
    services("stop", "rabbitmq-1", "--kill")
    with experiment.flooding(200, per_second=30):
        experiment.recover(20)
        services("start", "rabbitmq-1")
    experiment.recover(15)
    assert gather(experiment, "capacity", worn) == {"delivery_limit"}
    assert gather(experiment, "disks", large) == {"rejected"}
    experiment.verdict()


def publish_raw(experiment, key: str, count: int, body: bytes) -> dict[str, bytes]:
    """Publishes messages that are no jobs; returns their bodies by their ids, which no job has."""
    found = {f"raw-{uuid.uuid4()}": body for _ in range(count)}
    for message in found:
        properties = pika.BasicProperties(message_id=message, delivery_mode=2, content_type="application/json")
        experiment.channel.basic_publish(f"{experiment.prefix}.jobs", key, body, properties, mandatory=True)
    return found


def return_all(experiment, family: str) -> None:
    """Takes all messages of a queue and gives them back, as a consumer that fails does."""
    while experiment.channel.basic_get(f"{experiment.prefix}.{family}")[0]:
        pass
    experiment.channel.basic_nack(0, multiple=True, requeue=True)


def gather(experiment, family: str, wanted: dict[str, bytes]) -> set[str]:
    """Takes the broker's own letters out of a dead queue, each at least once there; returns why they died."""
    reasons, found = set(), set()

    def are_all_there() -> bool:
        while True:
            method, properties, body = experiment.channel.basic_get(f"{experiment.prefix}.{family}.dead")
            if not method:
                break
            if properties.message_id in wanted:
                assert body == wanted[properties.message_id]
                reasons.add(properties.headers["x-death"][0]["reason"])
                found.add(properties.message_id)
                experiment.channel.basic_ack(method.delivery_tag)
        experiment.channel.basic_nack(0, multiple=True, requeue=True)
        return found == set(wanted)

    eventually(f"all {len(wanted)} letters of {family} are there", are_all_there, 60)
    return reasons
