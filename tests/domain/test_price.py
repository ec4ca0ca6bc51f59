"""Amounts (R3): exact against fractions, rounded half to even once, the same in Python and Rust."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.price import (
    PARENT_CLASS,
    PRICE_NANO_MAX,
    PRICE_UNIT_TOKENS,
    TokenClass,
    check_price,
    choose_nano,
    compute_amount_nano,
    divide_half_even,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "amounts.json"
QUANTITIES = st.integers(min_value=0, max_value=2**63 - 1)
NANO = st.integers(min_value=0, max_value=PRICE_NANO_MAX)
FULL_PRICES = st.fixed_dictionaries(dict.fromkeys(TokenClass, NANO))
CONSUMED = st.dictionaries(st.sampled_from(TokenClass), QUANTITIES)


@given(dividend=st.integers(min_value=0), divisor=st.integers(min_value=1))
@example(dividend=1, divisor=2)
@example(dividend=3, divisor=2)
@example(dividend=5, divisor=2)
@example(dividend=2_500_001, divisor=1_000_000)
def test_division_is_that_of_fractions_rounded_half_to_even(dividend: int, divisor: int) -> None:
    # Python rounds a Fraction half to even, exactly, whatever its size.
    assert divide_half_even(dividend, divisor) == round(Fraction(dividend, divisor))


@given(half=st.integers(min_value=0, max_value=2**100))
def test_a_half_goes_to_the_even_neighbour(half: int) -> None:
    quotient = divide_half_even(2 * half + 1, 2)
    assert quotient % 2 == 0
    assert abs(2 * quotient - (2 * half + 1)) == 1


@given(prices=FULL_PRICES, quantities=CONSUMED)
def test_amount_is_the_exact_sum_rounded_once(prices: dict[TokenClass, int], quantities: dict[TokenClass, int]) -> None:
    exact = sum((Fraction(quantities[name] * prices[name], PRICE_UNIT_TOKENS) for name in quantities), Fraction(0))
    assert compute_amount_nano(prices, quantities) == round(exact)


@given(prices=FULL_PRICES, quantities=CONSUMED, token_class=st.sampled_from(TokenClass), more=QUANTITIES)
def test_amount_never_falls_with_more_tokens(
    prices: dict[TokenClass, int], quantities: dict[TokenClass, int], token_class: TokenClass, more: int
) -> None:
    raised = quantities | {token_class: quantities.get(token_class, 0) + more}
    assert compute_amount_nano(prices, raised) >= compute_amount_nano(prices, quantities)


@given(prices=FULL_PRICES, quantities=CONSUMED)
def test_order_of_classes_does_not_matter(prices: dict[TokenClass, int], quantities: dict[TokenClass, int]) -> None:
    assert compute_amount_nano(prices, dict(reversed(quantities.items()))) == compute_amount_nano(prices, quantities)


def test_sum_is_divided_once_and_not_class_by_class() -> None:
    prices = {TokenClass.INPUT: 1, TokenClass.OUTPUT: 1}
    # Each class alone would round to 0; together they are 0.8 and round to 1.
    assert compute_amount_nano(prices, {TokenClass.INPUT: 400_000, TokenClass.OUTPUT: 400_000}) == 1


@pytest.mark.parametrize(("token_class", "parent"), PARENT_CLASS.items())
def test_class_without_price_costs_what_its_parent_costs(token_class: TokenClass, parent: TokenClass) -> None:
    prices = {TokenClass.INPUT: 7_000_000, TokenClass.OUTPUT: 11_000_000}
    assert compute_amount_nano(prices, {token_class: 3}) == compute_amount_nano(prices, {parent: 3})
    assert choose_nano(prices | {token_class: 5}, token_class) == 5


@pytest.mark.parametrize("token_class", TokenClass)
def test_class_without_any_price_is_refused(token_class: TokenClass) -> None:
    with pytest.raises(InvalidInput, match="no price") as refusal:
        compute_amount_nano({}, {token_class: 1})
    assert refusal.value.field == f"quantities.{token_class}"


def test_nothing_of_a_class_needs_no_price() -> None:
    assert compute_amount_nano({}, {TokenClass.OUTPUT: 0}) == 0


def test_negative_quantity_is_refused() -> None:
    with pytest.raises(InvalidInput, match="never negative"):
        compute_amount_nano({TokenClass.INPUT: 1}, {TokenClass.INPUT: -1})


def test_good_prices_pass() -> None:
    check_price({TokenClass.INPUT: 0, TokenClass.OUTPUT: PRICE_NANO_MAX})


@pytest.mark.parametrize(
    ("prices", "field"),
    [
        ({TokenClass.OUTPUT: 1}, "nano_per_million.input"),
        ({TokenClass.INPUT: 1}, "nano_per_million.output"),
        ({TokenClass.INPUT: 1, TokenClass.OUTPUT: -1}, "nano_per_million.output"),
        ({TokenClass.INPUT: PRICE_NANO_MAX + 1, TokenClass.OUTPUT: 1}, "nano_per_million.input"),
    ],
)
def test_bad_prices_are_refused_by_field(prices: dict[TokenClass, int], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_price(prices)
    assert refusal.value.field == field


@pytest.mark.skipif(not GOLDEN.exists(), reason="tests/golden/amounts.json is written by the relay's tests")
def test_golden_amounts_are_the_same_here_as_in_the_relay() -> None:
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
    assert cases
    for case in cases:
        prices = {TokenClass(name): int(nano) for name, nano in case["nano_per_million"].items()}
        quantities = {TokenClass(name): int(quantity) for name, quantity in case["quantities"].items()}
        assert str(compute_amount_nano(prices, quantities)) == case["amount_nano"], case
