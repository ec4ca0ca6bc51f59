"""Compatibility as TOML: whether it works, and by whose word."""

import pytest

from keisan.catalog.compatibility import parse_compatibilities
from keisan.domain.compatibility import CompatibilityOutcome
from keisan.domain.errors import InvalidInput

RECORD = """[[records]]
chip = "metax-c550"
engine = "vLLM-metax"
model = "GLM-4.5"
outcome = "works"
source = "its README"
grade = "A"
date = 2026-11-27
"""


def test_records_of_a_file_are_read() -> None:
    works, fails = parse_compatibilities(RECORD + RECORD.replace("works", "fails"), "c.toml")
    assert (works.outcome, fails.outcome) == (CompatibilityOutcome.WORKS, CompatibilityOutcome.FAILS)
    assert works.quantisation == ""


@pytest.mark.parametrize("name", ["chip", "engine", "model", "outcome", "source", "grade", "date"])
def test_record_without_one_of_its_parts_is_refused(name: str) -> None:
    text = "".join(line for line in RECORD.splitlines(keepends=True) if not line.startswith(f"{name} "))
    with pytest.raises(InvalidInput) as refusal:
        parse_compatibilities(text, "c.toml")
    assert refusal.value.field == f"records[0].{name}"
