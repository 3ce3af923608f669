"""The schemas that producers and subscribers rely on, judged by an independent validator."""

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import psycopg
import pytest

from harness.program import PROGRAM
from harness.repository import ROOT

SCHEMAS = ROOT / "schemas"
FILES = sorted(SCHEMAS.glob("jobs/*.json")) + sorted(SCHEMAS.glob("events/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_schema_is_valid_and_so_are_its_examples(path):
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    assert schema["examples"]
    for example in schema["examples"]:
        validator.validate(example)


def test_schemas_and_tables_are_as_the_kinds_are_declared(tmp_path):
    """`schema --write` brings back what differs, removes what belongs to no kind, and leaves the rest alone."""
    root = SCHEMAS.parent
    for path in ["schemas", "README.md", "docs/producers.md", "docs/threat-model.md", "docs/metrics.md"]:
        copy = shutil.copytree if (root / path).is_dir() else shutil.copy
        (tmp_path / path).parent.mkdir(exist_ok=True)
        copy(root / path, tmp_path / path)
    assert generate("check", tmp_path).returncode == 0
    (tmp_path / "schemas/jobs/disk.create.json").write_text("{}")
    (tmp_path / "schemas/jobs/disk.gone.json").write_text("{}")
    (tmp_path / "docs/producers.md").write_text((root / "docs/producers.md").read_text().replace("`size_gb?`", "x", 1))
    refused = generate("check", tmp_path)
    differing = ["schemas/jobs/disk.create.json", "docs/producers.md", "schemas/jobs/disk.gone.json"]
    assert refused.returncode == 1 and ", ".join(differing) in refused.stderr
    assert generate("write", tmp_path).stdout.split() == differing
    assert generate("check", tmp_path).returncode == 0
    assert (tmp_path / "docs/producers.md").read_text() == (root / "docs/producers.md").read_text()
    assert not (tmp_path / "schemas/jobs/disk.gone.json").exists()


def generate(action: str, directory: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PROGRAM, "schema", f"--{action}", "--directory", directory], capture_output=True, text=True, timeout=60)


def test_each_kind_has_a_payload_and_an_event():
    jobs = {path.stem for path in SCHEMAS.glob("jobs/*.json")}
    events = {path.stem for path in SCHEMAS.glob("events/*.json")} - {"failed", "envelope"}
    assert jobs == events


def test_the_platforms_tables_are_created_once_and_left_alone_afterwards(database):
    sql = (SCHEMAS / "sql/0001_platform.sql").read_text()
    database.execute(sql)
    database.execute("INSERT INTO disks (disk_name, user_id) VALUES ('home', 'alice')")
    database.execute(sql)
    assert database.execute("SELECT count(*) FROM disks").fetchone() == (1,)


def test_a_deleted_disk_remembers_when_it_was_marked(database):
    database.execute((SCHEMAS / "sql/0001_platform.sql").read_text())
    database.execute("INSERT INTO disks (disk_name, user_id) VALUES ('home', 'alice')")
    marked = "SELECT marked_deleted_at IS NOT NULL FROM disks"
    database.execute("UPDATE disks SET is_deleted = true")
    assert database.execute(marked).fetchone() == (True,)
    database.execute("UPDATE disks SET is_deleted = false")
    assert database.execute(marked).fetchone() == (False,)
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("INSERT INTO disks (disk_name, user_id) VALUES ('home', 'alice')")
