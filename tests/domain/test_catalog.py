"""The catalogue as one: what it names is there."""

from dataclasses import replace
from datetime import date

import pytest

from keisan.domain.advisory import Advisory, Severity
from keisan.domain.catalog import Catalog, check_catalog, find_maker, list_under
from keisan.domain.compatibility import Compatibility, CompatibilityOutcome
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.maker import Maker, MakerPart
from tests.domain.samples import build_chip

EVIDENCE = Evidence("press", Grade.PRESS, date(2026, 11, 27))
CHIP = build_chip("t-head-x", vendor=("T-Head",), fabricated_by=("SMIC",), advisory=("N-1",))
NO_ADVISORY = build_chip("t-head-y", vendor=("T-Head",), advisory=())
WHOLE = Catalog(
    chips={chip.id: chip for chip in (CHIP, NO_ADVISORY, build_chip("cpu"))},
    makers={
        "t-head": Maker("t-head", "T-Head", "CN", (MakerPart.DESIGNER,), EVIDENCE),
        "smic": Maker("smic", "SMIC", "CN", (MakerPart.FOUNDRY,), EVIDENCE),
    },
    advisories={"N-1": Advisory("N-1", "Risks", "CAC", Severity.NOTICE, date(2025, 7, 31), "", EVIDENCE)},
    compatibilities=(Compatibility("cpu", "llama.cpp", "SmolLM2", CompatibilityOutcome.WORKS, EVIDENCE),),
)


def test_whole_catalogue_is_returned() -> None:
    assert check_catalog(WHOLE) is WHOLE
    assert check_catalog(Catalog()) == Catalog()


def test_fact_names_its_maker_in_any_case() -> None:
    assert find_maker(WHOLE.makers, "T-Head") is WHOLE.makers["t-head"]
    assert find_maker(WHOLE.makers, "Nobody") is None


def test_chips_under_an_advisory_are_found() -> None:
    assert list_under(WHOLE, "N-1") == ("t-head-x",)
    assert list_under(WHOLE, "N-2") == ()


def test_all_that_is_named_and_not_there_is_told() -> None:
    bare = replace(WHOLE, makers={"t-head": replace(WHOLE.makers["t-head"], parts=())}, advisories={})
    with pytest.raises(InvalidInput) as refusal:
        check_catalog(replace(bare, chips={CHIP.id: CHIP}))
    assert refusal.value.outside.split("; ") == [
        "t-head-x is under N-1, and there is no such advisory",
        "vendor of t-head-x is T-Head, and there is no such designer",
        "fabricated_by of t-head-x is SMIC, and there is no such foundry",
        "there is no chip cpu that compatibility could be of",
    ]


def test_two_chips_of_one_name_are_refused() -> None:
    twin = replace(build_chip("T-Head-X"), id="T-Head-X")
    with pytest.raises(InvalidInput, match="have the same name"):
        check_catalog(replace(WHOLE, chips={**WHOLE.chips, twin.id: twin}))
