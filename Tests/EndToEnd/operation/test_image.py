"""The container image, without a container engine: its files, collected as k8s/Dockerfile does, and the program in them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine import scaled
from harness.program import PROGRAM
from harness.repository import ROOT

DOCKERFILE = ROOT / "k8s/Dockerfile"

# As a container: the image is read-only, and nothing of the machine is in sight but the kernel.
CONTAINER = """
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -o remount,bind,ro "$1"
root=$1
shift
exec chroot --userspec=65532:65532 "$root" "$@"
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    root = tmp_path_factory.mktemp("image") / "root"
    subprocess.run([ROOT / "k8s/collect-files", PROGRAM, root], check=True, timeout=scaled(300))
    return root


@pytest.fixture
def container(image):
    """Runs the image's program with arguments and an environment."""
    if os.geteuid() != 0:
        pytest.skip("a change of root takes root")
    (image / "proc").mkdir(exist_ok=True)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
        start = ["/usr/bin/unshare", "--mount", "/bin/sh", "-ec", CONTAINER, "container", image]
        return subprocess.run([*start, "/usr/bin/gpudev-worker", *arguments], env=environment,
                              capture_output=True, text=True, timeout=scaled(120))

    return run


def instructions() -> list[str]:
    lines = DOCKERFILE.read_text().replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_hadolint_has_nothing_to_say():
    hadolint = Path(sys.executable).parent / "hadolint"
    result = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, timeout=scaled(60))
    assert result.returncode == 0, result.stdout


def test_the_program_runs_in_it_unprivileged_and_read_only(container):
    result = container("--help")
    assert result.returncode == 0 and "SUBCOMMANDS" in result.stdout, result.stderr
    result = container("schema", "disk.create")
    assert result.returncode == 0 and '"disk_name"' in result.stdout, result.stderr


def test_what_is_missing_is_told_in_it_as_elsewhere(container):
    result = container("run")
    assert result.returncode == 78
    assert "AMQP_URL is not set" in result.stderr


def test_it_speaks_to_the_services_over_tls_with_the_authorities_of_debian(image):
    certificates = (image / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert certificates.count("BEGIN CERTIFICATE") > 100


def test_it_is_small_and_has_no_shell(image):
    files = [path for path in image.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < 200_000_000
    executable = {path.relative_to(image).as_posix() for path in files
                  if os.access(path, os.X_OK) and ".so" not in path.name}
    assert executable == {"usr/bin/gpudev-worker"}
    assert not any(path.stat().st_mode & 0o6000 for path in files), "nobody becomes somebody else in it"


def test_scanners_learn_which_packages_are_in_it(image):
    packages = {path.name for path in (image / "var/lib/dpkg/status.d").iterdir()}
    assert {"ca-certificates", "libc6", "libcurl4", "libpq5", "librabbitmq4", "libssl3"} <= packages
    for package in packages:
        status = (image / "var/lib/dpkg/status.d" / package).read_text()
        assert re.search(r"^Version: \S", status, re.MULTILINE)
        assert (image / "usr/share/doc" / package / "copyright").is_file()


def test_the_dockerfile_copies_what_is_there_and_installs_what_debian_has():
    copied = [line.split()[1] for line in instructions() if line.startswith("COPY") and "--from" not in line]
    assert all((ROOT / path).exists() for path in copied)
    (install,) = (line for line in instructions() if "apt-get install" in line)
    packages = re.search(r"--no-install-recommends\s+(.+?)\s+&&", install)[1].split()
    for package in packages:
        known = subprocess.run(["/usr/bin/dpkg-query", "--status", package], capture_output=True, timeout=scaled(30))
        assert known.returncode == 0, f"{package} is not a package that this program is built with"


def test_the_image_is_the_collected_files_and_nothing_else():
    whole = "\n".join(instructions())
    last = whole[whole.rindex("\nFROM ") :]
    assert last.startswith("\nFROM scratch\n")
    assert re.findall(r"^COPY (.+)$", last, re.MULTILINE) == ["--from=build /image/ /"]
    assert "RUN" not in last and "ADD" not in whole
    assert "USER 65532:65532" in last and 'ENTRYPOINT ["/usr/bin/gpudev-worker"]' in last
    for label, argument in {"version": "VERSION", "revision": "COMMIT"}.items():
        assert f'org.opencontainers.image.{label}="${{{argument}}}"' in last and f"ARG {argument}=" in last
