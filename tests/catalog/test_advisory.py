"""Advisories as TOML: severity, day and evidence, and an id that a policy can name."""

import pytest

from keisan.catalog.advisory import parse_advisory
from keisan.domain.advisory import Severity
from keisan.domain.errors import InvalidInput

ADVISORY = """
id = "CN-CAC-2025-07-31"
title = "Risks"
issuer = "CAC"
severity = "warning"
issued_on = 2025-07-31
summary = "Summoned."
source = "the notice"
grade = "A"
date = 2026-11-27
"""


def test_advisory_is_read() -> None:
    assert parse_advisory(ADVISORY, "a.toml").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"warning"', '"awful"', "severity"),
        ("issued_on = 2025-07-31", "", "issued_on"),
        ('source = "the notice"', "", "source"),
        ('grade = "A"', "", "grade"),
        ("date = 2026-11-27", "", "date"),
        ('"CN-CAC-2025-07-31"', '"two words"', "id"),
    ],
)
def test_advisory_without_evidence_or_severity_is_refused(old: str, new: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_advisory(ADVISORY.replace(old, new), "a.toml")
    assert refusal.value.field == field
