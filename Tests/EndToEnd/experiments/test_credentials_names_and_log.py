"""Credentials, certificates, names and the log: what a worker needs around it, failing and put right again."""

import contextlib
import fcntl
import os
import pathlib
import shlex
import subprocess
import tempfile
import threading
import time

import pytest

from EndToEnd.experiments.server_credentials import Broker, Database
from harness import program
from harness.tls import Authority
from harness.waiting import eventually
from harness.worker import Replica

CREDENTIALS = "Credentials changed, certificate expired, login refused"
SURROUNDINGS = "Nobody reads the log; names are not found"


class Refusals:
    """What the replicas log about a service that will not have them, from now on."""

    # Three queues, relay and gauges; three pools and the session. Each waits longer from one attempt to the next.
    connections = 9

    def __init__(self, experiment) -> None:
        self._started = time.monotonic()
        self._starts = {replica: replica.log.stat().st_size for replica in experiment.living}

    def check(self, reason: str) -> None:
        """Each replica lives, says why it waits, and no connection asks or says so more than a few times, and then every other second."""
        seconds = time.monotonic() - self._started
        for replica, start in self._starts.items():
            lines = replica.log.read_bytes()[start:].decode().splitlines()
            warnings = [line for line in lines if '"level":"warning"' in line and "held up" not in line]
            assert replica.is_alive
            assert any(reason in line for line in warnings), warnings[-5:]
            assert len(warnings) <= self.connections * (4 + seconds / 2), f"{len(warnings)} warnings in {seconds:.0f} s"


@pytest.fixture(params=[Broker, Database], ids=["RabbitMQ", "PostgreSQL"])
def server(request, experiment):
    with contextlib.closing(request.param(experiment)) as server:
        yield server


@pytest.mark.experiment(24, CREDENTIALS)
def test_refused_logins(experiment, server):
    """The password is another one for a while, and then the old one again."""
    server.set_password("the-old-one")
    experiment.environment[server.setting] = server.url("the-old-one")
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1)
        server.set_password("another-one")
        refusals = Refusals(experiment)
        server.cut()
        time.sleep(experiment.size(6, 60))
        refusals.check(server.refusal)
        server.set_password("the-old-one")
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0
    assert not any("the-old-one" in replica.log.read_text() for replica in experiment.replicas)


@pytest.mark.experiment(24, CREDENTIALS)
def test_new_passwords_by_a_rollout(experiment, tmp_path):
    """Mounted files have the new passwords at once; replicas read them as they start, so a rollout brings them in."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    with contextlib.closing(Broker(experiment)) as broker, contextlib.closing(Database(experiment)) as database:
        servers = (broker, database)

        def rotate(password: str) -> None:
            for server in servers:
                server.set_password(password)
                (secrets / server.setting).write_text(urls[server.setting].replace("PASSWORD", password))

        urls = {server.setting: server.url("PASSWORD") for server in servers}
        experiment.environment = {name: value for name, value in experiment.environment.items() if name not in urls}
        experiment.environment["CONFIG_DIRECTORY"] = str(secrets)
        rotate("the-old-one")
        old = experiment.start(2)
        with experiment.flooding(200, per_second=40):
            time.sleep(1)
            refusals = Refusals(experiment)
            rotate("the-new-one")
            for server in servers:
                server.cut()
            time.sleep(experiment.size(3, 30))
            for server in servers:
                refusals.check(server.refusal)
            for replica in old:
                experiment.start_doomed()
                assert replica.stop() == 0
        experiment.recover()
        experiment.verdict()
        assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


@pytest.fixture
def certificates():
    """A directory that the servers can read."""
    with tempfile.TemporaryDirectory(prefix="gpudev-certificates-", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)


@pytest.mark.experiment(24, CREDENTIALS)
def test_an_expired_certificate(certificates, experiment, server):
    authority = Authority(certificates)
    certificate = certificates / "server.pem"

    def serve(days: int) -> None:
        authority.issue(certificate, days, server.system_user)
        server.serve(certificate)

    serve(days=30)
    experiment.environment["SSL_CERT_FILE"] = str(authority.file)
    experiment.environment[server.setting] = server.secure_url()
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1)
        serve(days=-1)
        refusals = Refusals(experiment)
        server.cut()
        time.sleep(experiment.size(4, 60))
        refusals.check(server.distrust)
        serve(days=30)
    experiment.recover()
    experiment.verdict()
    assert experiment.count("job_attempts WHERE fate = 'retry'") == 0


class Pipe:
    """Where a replica writes its log to; as small as pipes can be."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        self.path = pathlib.Path(f"/dev/fd/{self.writer}")

    def read_until_its_end(self) -> bytes:
        os.close(self.writer)
        with open(self.reader, "rb") as file:
            return file.read()


@pytest.mark.experiment(25, SURROUNDINGS)
def test_a_log_that_nobody_reads(experiment, tmp_path):
    """The pipe is full from the start; once it is read again, the log says what it lacks."""
    pipe = Pipe()
    experiment.environment["LOG_LEVEL"] = "trace"
    mute = Replica(experiment.environment, pipe.path)
    mute.log = tmp_path / "mute.log"
    mute.log.touch()
    experiment.replicas.append(mute)
    experiment.start()
    experiment.flood(experiment.size(400, 2000))
    eventually("all is done", lambda: experiment.backlog() == 0, 240)
    experiment.recover()
    experiment.verdict()
    read = []
    thread = threading.Thread(target=lambda: read.append(pipe.read_until_its_end()))
    thread.start()
    assert mute.stop() == 0
    thread.join()
    mute.log.write_bytes(read[0])
    assert b"shut down cleanly" in read[0]


@pytest.mark.experiment(25, SURROUNDINGS)
def test_the_end_of_a_replica_whose_log_nobody_reads(experiment, tmp_path):
    pipe = Pipe()
    experiment.start(2)
    mute = Replica(experiment.environment, pipe.path)
    mute.log = tmp_path / "mute.log"
    mute.log.touch()
    experiment.replicas.append(mute)
    with experiment.flooding(200, per_second=50):
        time.sleep(2)
        assert mute.stop() == 0
    mute.log.write_bytes(pipe.read_until_its_end())
    experiment.recover()
    experiment.verdict()


@pytest.mark.experiment(25, SURROUNDINGS)
def test_a_log_whose_reader_has_died(experiment, tmp_path):
    pipe = Pipe()
    widowed = Replica(experiment.environment, pipe.path)
    widowed.log = tmp_path / "widowed.log"
    widowed.log.touch()
    os.close(pipe.writer)
    experiment.replicas.append(widowed)
    experiment.start()
    with experiment.flooding(200, per_second=50):
        time.sleep(1)
        os.close(pipe.reader)
    experiment.recover()
    assert widowed.is_alive, f"ended by {widowed.process.returncode}"
    experiment.verdict()


class Names:
    """Names of this machine for the replicas alone, in files that stand in for the system's."""

    known = "127.0.0.1 localhost broker.test database.test aws.test\n"

    def __init__(self, directory: pathlib.Path) -> None:
        self._hosts = directory / "hosts"
        resolver = directory / "resolv.conf"
        # Nobody answers there.
        resolver.write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
        self.restore()
        mounts = [f"mount --bind {file} /etc/{file.name}" for file in (self._hosts, resolver)]
        self.program = directory / "program"
        run = f'{" && ".join(mounts)} && exec {shlex.quote(str(program.PROGRAM))} "$@"'
        self.program.write_text(f"#!/bin/sh\nexec unshare --mount sh -c {shlex.quote(run)} sh \"$@\"\n")
        self.program.chmod(0o755)

    def restore(self) -> None:
        self._hosts.write_text(self.known)

    def forget(self) -> None:
        self._hosts.write_text("127.0.0.1 localhost\n")


@pytest.fixture
def names(tmp_path, monkeypatch):
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"],
        capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {tried.stderr.strip()}")
    names = Names(tmp_path)
    monkeypatch.setattr(program, "PROGRAM", names.program)
    return names


@pytest.mark.experiment(25, SURROUNDINGS)
def test_names_that_are_not_found(names, experiment):
    """No name has an address for a while, and no connection lasts."""
    proxies = [experiment.proxy_before(setting) for setting in ("AMQP_URL", "DATABASE_URL")]
    for setting, name in (
            ("AMQP_URL", "broker"), ("DATABASE_URL", "database"), ("AWS_ENDPOINT_URL", "aws")):
        experiment.environment[setting] = experiment.environment[setting].replace("127.0.0.1", f"{name}.test")
    experiment.environment["ALLOW_PLAINTEXT"] = "true"
    experiment.start(2)
    with experiment.flooding(200, per_second=40):
        time.sleep(1)
        names.forget()
        refusals = Refusals(experiment)
        for proxy in proxies:
            proxy.reset()
        time.sleep(experiment.size(6, 60))
        refusals.check("")
        names.restore()
    experiment.recover()
    experiment.verdict()
