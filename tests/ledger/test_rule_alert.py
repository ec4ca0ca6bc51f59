"""Thresholds: crossed once on the way up, whatever the steps; and a wallet that becomes low once until it is full again."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.ledger.rule_alert import BUDGET_THRESHOLDS_PPM, PPM, find_crossed, is_fallen

AMOUNTS = st.integers(min_value=0, max_value=10**30)


@pytest.mark.parametrize(
    ("before_nano", "after_nano", "limit_nano", "crossed"),
    [
        (0, 49, 100, ()),
        (0, 50, 100, (500_000,)),
        (49, 50, 100, (500_000,)),
        (50, 79, 100, ()),
        (0, 100, 100, (500_000, 800_000, 1_000_000)),
        (80, 250, 100, (1_000_000,)),
        (100, 250, 100, ()),
        (80, 20, 100, ()),
        # A threshold between two whole amounts is reached by the upper one.
        (0, 1, 3, ()),
        (1, 2, 3, (500_000,)),
        (0, 0, 0, ()),
        (0, 1, 0, (500_000, 800_000, 1_000_000)),
    ],
)
def test_thresholds_that_are_crossed(
    before_nano: int, after_nano: int, limit_nano: int, crossed: tuple[int, ...]
) -> None:
    assert find_crossed(before_nano, after_nano, limit_nano) == crossed


@given(st.lists(AMOUNTS, min_size=2).map(sorted), AMOUNTS)
def test_each_is_crossed_once_on_the_way_up_and_by_exact_amounts(spent: list[int], limit_nano: int) -> None:
    steps = [0, *spent]
    told = [each for before, after in pairwise(steps) for each in find_crossed(before, after, limit_nano)]
    assert told == sorted(set(told))
    reached = [each for each in BUDGET_THRESHOLDS_PPM if steps[-1] > 0 and steps[-1] * PPM >= limit_nano * each]
    assert told == reached


@given(st.lists(AMOUNTS, min_size=1), AMOUNTS, st.sets(st.integers(min_value=0, max_value=5 * PPM)))
def test_none_is_told_twice_in_a_period_though_spending_falls(
    spent: list[int], limit_nano: int, thresholds_ppm: set[int]
) -> None:
    told: list[int] = []
    for before, after in pairwise([0, *spent]):
        told += find_crossed(before, after, limit_nano, thresholds_ppm, told)
    assert len(told) == len(set(told))
    assert set(told) <= thresholds_ppm


BALANCES = st.integers(min_value=-(10**30), max_value=10**30)


@given(st.lists(BALANCES, min_size=2), BALANCES)
def test_fall_is_told_once_until_the_balance_was_there_again(balances: list[int], floor_nano: int) -> None:
    was_low = balances[0] < floor_nano
    for before, after in pairwise(balances):
        is_low = after < floor_nano
        assert is_fallen(before, after, floor_nano) == (is_low and not was_low)
        was_low = is_low
