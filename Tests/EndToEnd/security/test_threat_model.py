"""docs/threat-model.md knows every kind of job, and every field of a payload that names a thing."""

import json
import re

import pytest

from harness.repository import ROOT

MODEL = (ROOT / "docs/threat-model.md").read_text()
PAYLOADS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "schemas/jobs").glob("*.json"))}
PLAIN = {
    "size_gb", "snapshot_type", "disk_size", "delete_date", "dry_run", "snapshot_count", "expires_at", "status", "reason",
    "new_name"}
"""Fields that say how much, when, how or why, or what a thing shall be called, and name nothing that there is."""


def table(title: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading, by the name in their first cell."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", MODEL, re.MULTILINE | re.DOTALL)[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_kind_has_its_authority():
    authority = table("Authority by kind")
    assert authority.keys() == PAYLOADS.keys()
    assert all(len(row) == 4 and all(row) for row in authority.values())


@pytest.mark.parametrize("kind", PAYLOADS)
def test_every_field_that_names_a_thing_says_what_keeps_anothers_out(kind):
    named = PAYLOADS[kind].get("properties", {}).keys() - PLAIN
    fields = table("Fields that name a thing")
    assert named <= fields.keys(), f"{kind}: {sorted(named - fields.keys())}"
    for field in named:
        where = fields[field][1]
        family = {"disk": "kinds of disks", "reservation": "kinds of reservations"}[kind.partition(".")[0]]
        assert kind in where or family in where, f"{field} of {kind}"


def test_no_field_is_named_that_no_kind_has():
    known = {field for payload in PAYLOADS.values() for field in payload.get("properties", {})}
    assert table("Fields that name a thing").keys() <= known


def test_codes_of_refusal_are_those_of_the_program():
    sources = "".join(path.read_text() for path in (ROOT / "Sources").rglob("*.swift"))
    fields = "".join(row[-1] for row in table("Fields that name a thing").values())
    for code in re.findall(r"`((?:foreign|unknown|reserved)-[a-z-]+)`", fields):
        assert f'"{code}"' in sources, code
