"""What every job and event of the tests must look like, by an independent validator."""

import functools
import json

import jsonschema

from harness.repository import ROOT

SCHEMAS = ROOT / "schemas"


@functools.cache
def _validator(path: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / path).read_text())
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def check_payload(kind: str, payload: dict) -> None:
    _validator(f"jobs/{kind}.json").validate(payload)


def check_event(event: dict) -> None:
    _validator("events/envelope.json").validate(event)
    kind, _, ending = event["type"].rpartition(".")
    _validator("events/failed.json" if ending == "failed" else f"events/{kind}.json").validate(event["data"])
