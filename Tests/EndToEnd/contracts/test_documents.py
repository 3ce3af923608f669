"""What the documents say of the tests and of the kinds, held against what there is."""

import re

import pytest

from harness.repository import ROOT


def known_tests() -> set[str]:
    python = {
        name for path in (ROOT / "Tests/EndToEnd").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    return python | {path.name for path in (ROOT / "Tests/EndToEnd").rglob("test_*.py")}


def test_the_coverage_names_tests_that_there_are():
    named = set(re.findall(r"`(test_\w+(?:\.py)?)`", (ROOT / "docs/domain-coverage.md").read_text()))
    assert named and not named - known_tests()


@pytest.mark.parametrize("kind", sorted(path.stem for path in (ROOT / "schemas/jobs").glob("*.json")))
def test_each_kind_has_its_line_for_producers(kind):
    assert f"| `{kind}` |" in (ROOT / "docs/producers.md").read_text()
