"""Tables of TOML as dataclasses: evidence nested or flat, defaults, and faults that name their place."""

from dataclasses import dataclass
from datetime import date

import pytest

from keisan.catalog.reader import Place, build, parse_toml
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade

FLAT = 'source = "a sheet"\ngrade = "A"\ndate = 2026-11-27\n'
EVIDENCE = Evidence("a sheet", Grade.VENDOR, date(2026, 11, 27))


@dataclass(frozen=True)
class Part:
    name: str
    evidence: Evidence
    count: int = 1


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    evidence: Evidence


def read(text: str) -> Whole:
    return build(Whole, parse_toml(text, "x.toml"), Place("x.toml"))


def test_evidence_stands_flat_or_in_a_table_of_its_own() -> None:
    part = f'[[parts]]\nname = "a"\n{FLAT}'
    whole = Whole((Part("a", EVIDENCE),), EVIDENCE)
    assert read(FLAT + part) == whole
    assert read(f"[evidence]\n{FLAT}{part}") == whole
    assert read(f"{FLAT}{part}count = 2\n").parts[0].count == 2


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (f'{FLAT}[[parts]]\nname = "a"\ngrade = "A"\ndate = 2026-11-27\n', "parts[0].source"),
        (f'{FLAT}[[parts]]\nname = "a"\nsource = ""\ngrade = "A"\ndate = 2026-11-27\n', "parts[0].source"),
        (f'{FLAT}[[parts]]\nname = "a"\nsource = "x"\ndate = 2026-11-27\n', "parts[0].grade"),
        (f'{FLAT}[[parts]]\nname = "a"\nsource = "x"\ngrade = "E"\ndate = 2026-11-27\n', "parts[0].grade"),
        (f'{FLAT}[[parts]]\nname = "a"\nsource = "x"\ngrade = "A"\n', "parts[0].date"),
        (f'{FLAT}[[parts]]\nname = "a"\nsource = "x"\ngrade = "A"\ndate = "now"\n', "parts[0].date"),
        (f'{FLAT}[[parts]]\nname = "a"\ncolour = 1\n{FLAT}', "parts[0].colour"),
        (f'{FLAT}[[parts]]\nname = "a"\ncount = "1"\n{FLAT}', "parts[0].count"),
        (f"parts = 1\n{FLAT}", "parts"),
        (f"parts = [1]\n{FLAT}", "parts[0]"),
        ('parts = []\n[evidence]\nsource = "x"\n', "evidence.grade"),
        ("[", ""),
    ],
)
def test_what_is_missing_or_wrong_is_named(text: str, field: str) -> None:
    with pytest.raises(InvalidInput, match=r"^x\.toml: ") as refusal:
        read(text)
    assert refusal.value.field == field
