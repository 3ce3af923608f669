"""The schemas that producers and subscribers rely on, judged by an independent validator."""

import json
from pathlib import Path

import jsonschema
import psycopg
import pytest

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
FILES = sorted(SCHEMAS.glob("jobs/*.json")) + sorted(SCHEMAS.glob("events/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_schema_is_valid_and_so_are_its_examples(path):
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    assert schema["examples"]
    for example in schema["examples"]:
        validator.validate(example)


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
