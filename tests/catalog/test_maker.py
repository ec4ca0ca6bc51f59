"""Makers as TOML: each fact has a day and evidence."""

import pytest

from keisan.catalog.maker import parse_maker
from keisan.domain.errors import InvalidInput
from keisan.domain.maker import MakerPart

EVIDENCE = 'source = "press"\ngrade = "C"\ndate = 2026-11-27\n'
FACT = f'[[facts]]\ntext = "listed"\nhappened_on = 2025-12-17\n{EVIDENCE}'
MAKER = f'id = "metax"\nname = "MetaX"\ncountry = "CN"\nparts = ["designer"]\n[evidence]\n{EVIDENCE}{FACT}'


def test_maker_and_its_facts_are_read() -> None:
    maker = parse_maker(MAKER, "m.toml")
    assert (maker.id, maker.parts, maker.local_name) == ("metax", (MakerPart.DESIGNER,), "")
    assert [fact.text for fact in maker.facts] == ["listed"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"designer"', '"dreamer"', "parts[0]"),
        ("happened_on = 2025-12-17", "", "facts[0].happened_on"),
        (FACT, FACT.replace('grade = "C"\n', ""), "facts[0].grade"),
        (FACT, FACT.replace('source = "press"\n', ""), "facts[0].source"),
        ("[evidence]\n" + EVIDENCE, "", "source"),
    ],
)
def test_fact_without_day_or_evidence_is_refused(old: str, new: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_maker(MAKER.replace(old, new), "m.toml")
    assert refusal.value.field == field
