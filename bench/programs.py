"""The programs in C and Go that the benchmark brings along, built when they are needed and again when their source changes."""

import pathlib
import subprocess

from harness.repository import ROOT

BUILT = ROOT / ".local/bench-programs"
SOURCES = ROOT / "bench"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
GO_LIBRARIES = pathlib.Path("/usr/share/gocode")
"""Where Debian's packages put the sources of Go libraries."""
PATIENCE = 600


class Missing(RuntimeError):
    """Something that a program is built with is not installed; the text says what to do about it."""


def c_worker() -> pathlib.Path:
    """The yardstick in C."""
    return _c_program("c-worker", SOURCES / "yardsticks/c", "libpq", "librabbitmq")


def relay() -> pathlib.Path:
    """What stands between workers and a service."""
    return _c_program("relay", SOURCES / "relay")


def go_worker() -> pathlib.Path:
    """The yardstick in Go, with the libraries that Debian has."""
    packages = "golang-go golang-github-rabbitmq-amqp091-go-dev golang-github-jackc-pgx-v4-dev"
    built, source = BUILT / "go-worker", SOURCES / "yardsticks/go"
    if _is_new(built, source):
        return built
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(BUILT), "GOCACHE": str(BUILT / "go-cache"), "GOTOOLCHAIN": "local",
        "GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(GO_LIBRARIES),
    }
    _run(["go", "build", "-o", str(built), "."], packages, cwd=source, env=environment)
    return built


def _c_program(name: str, source: pathlib.Path, *libraries: str) -> pathlib.Path:
    built = BUILT / name
    if _is_new(built, source):
        return built
    flags = {"--cflags": [], "--libs": []}
    for kind in flags if libraries else ():
        flags[kind] = _run(["pkg-config", kind, *libraries], "libpq-dev librabbitmq-dev pkg-config").split()
    files = sorted(map(str, source.glob("*.c")))
    options = ["-std=c17", "-D_GNU_SOURCE", "-O2", *WARNINGS]
    _run(["clang", *options, *flags["--cflags"], "-o", str(built), *files, *flags["--libs"]], "clang")
    return built


def _is_new(built: pathlib.Path, source: pathlib.Path) -> bool:
    BUILT.mkdir(parents=True, exist_ok=True)
    return built.exists() and built.stat().st_mtime > max(file.stat().st_mtime for file in source.iterdir())


def _run(command: list[str], packages: str, **options) -> str:
    """What the command prints; `packages` are those of Debian that it needs."""
    advice = f"it needs Debian's packages {packages}: apt-get install --no-install-recommends {packages}"
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)
    except FileNotFoundError as error:
        raise Missing(f"{command[0]} is not installed; {advice}") from error
    if result.returncode != 0:
        raise Missing(f"{' '.join(command)} failed; {advice}\n{result.stderr.strip()}")
    return result.stdout
