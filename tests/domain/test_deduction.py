"""Deductions: whose they may be, and which rate is taken of a call."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.deduction import RATE_PPM_MAX, Deduction, DeductionKind, check_deduction, choose_rate_ppm
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import OrganizationId, ProviderId
from keisan.domain.validity import is_in_force
from tests.domain.samples import NOW, ORGANIZATION_ID, PROVIDER_ID, build_deduction, name_id

MARGIN, TAX = DeductionKind.MARGIN, DeductionKind.TAX
OTHER_PROVIDER_ID = ProviderId(name_id(5, 2))
HOUR = timedelta(hours=1)


@st.composite
def draw_margins(draw: st.DrawFn) -> list[Deduction]:
    hours = st.integers(min_value=-3, max_value=3)
    margins = []
    for version in range(1, draw(st.integers(min_value=0, max_value=8)) + 1):
        start = NOW + draw(hours) * HOUR
        length = draw(st.none() | st.integers(min_value=1, max_value=3))
        margins.append(
            build_deduction(
                provider_id=draw(st.sampled_from([None, PROVIDER_ID, OTHER_PROVIDER_ID])),
                rate_ppm=draw(st.none() | st.integers(min_value=0, max_value=RATE_PPM_MAX)),
                effective_from=start,
                effective_until=None if length is None else start + length * HOUR,
                version=version,
            )
        )
    return draw(st.permutations(margins))


@given(margins=draw_margins(), hours=st.integers(min_value=-4, max_value=7))
def test_own_rate_goes_before_everybodys_and_newer_before_older(margins: list[Deduction], hours: int) -> None:
    at = NOW + hours * HOUR
    covering = sorted((each for each in margins if is_in_force(each, at)), key=lambda each: -each.version)
    own = next((each.rate_ppm for each in covering if each.provider_id == PROVIDER_ID), None)
    general = next((each.rate_ppm for each in covering if each.provider_id is None), None)
    expected = own if own is not None else general if general is not None else 0
    assert choose_rate_ppm(margins, MARGIN, PROVIDER_ID, at) == expected


def test_without_any_rule_nothing_is_taken() -> None:
    assert choose_rate_ppm([], MARGIN, PROVIDER_ID, NOW) == 0
    assert choose_rate_ppm([build_deduction()], TAX, ORGANIZATION_ID, NOW) == 0


def test_kinds_do_not_mix() -> None:
    tax = build_deduction(kind=TAX, organization_id=ORGANIZATION_ID, rate_ppm=100_000)
    assert choose_rate_ppm([tax], TAX, ORGANIZATION_ID, NOW) == 100_000
    assert choose_rate_ppm([tax], TAX, OrganizationId(name_id(1, 2)), NOW) == 0
    assert choose_rate_ppm([tax], MARGIN, PROVIDER_ID, NOW) == 0


def test_rate_of_nought_is_a_rate_and_a_withdrawn_one_is_none() -> None:
    general = build_deduction(rate_ppm=50_000)
    exempt = build_deduction(provider_id=PROVIDER_ID, rate_ppm=0)
    withdrawn = build_deduction(provider_id=PROVIDER_ID, rate_ppm=None, version=2, effective_from=NOW + HOUR)
    assert (exempt.is_withdrawn, withdrawn.is_withdrawn) == (False, True)
    rates = [choose_rate_ppm([general, exempt, withdrawn], MARGIN, PROVIDER_ID, at) for at in (NOW, NOW + HOUR)]
    assert rates == [0, 50_000]


def test_subject_is_one_text() -> None:
    assert build_deduction().subject == "everybody"
    assert build_deduction(provider_id=PROVIDER_ID).subject == str(PROVIDER_ID)
    assert build_deduction(kind=TAX, organization_id=ORGANIZATION_ID).subject == str(ORGANIZATION_ID)


def test_good_deductions_pass() -> None:
    check_deduction(build_deduction(rate_ppm=0))
    check_deduction(build_deduction(provider_id=PROVIDER_ID, rate_ppm=RATE_PPM_MAX))
    check_deduction(build_deduction(kind=TAX, organization_id=ORGANIZATION_ID))


@pytest.mark.parametrize(
    ("deduction", "field"),
    [
        (build_deduction(rate_ppm=-1), "rate_ppm"),
        (build_deduction(rate_ppm=RATE_PPM_MAX + 1), "rate_ppm"),
        (build_deduction(rate_ppm=None), "rate_ppm"),
        (build_deduction(organization_id=ORGANIZATION_ID), "organization_id"),
        (build_deduction(kind=TAX, provider_id=PROVIDER_ID), "provider_id"),
    ],
)
def test_bad_deductions_are_refused_by_field(deduction: Deduction, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_deduction(deduction)
    assert refusal.value.field == field
