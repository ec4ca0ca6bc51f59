"""Groups of columns: any order, any gaps, and columns that are in none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keisan.telemetry.group import find_most, group_columns, sum_groups

GROUPS = st.lists(st.integers(-1, 5), max_size=40)


@given(GROUPS, st.integers(0, 2**32 - 1))
def test_sums_and_maxima_are_those_of_the_columns(group_of: list[int], seed: int) -> None:
    rows = np.random.default_rng(seed).integers(-(2**31), 2**31 - 1, (3, len(group_of)), dtype=np.int32)
    groups = group_columns(np.array(group_of, np.int32), 6)
    sums, most = sum_groups(rows, groups), find_most(rows, groups, -(2**62))
    for group in range(6):
        own = [position for position, name in enumerate(group_of) if name == group]
        for row in range(3):
            assert sums[row, group] == sum(int(rows[row, position]) for position in own)
            assert most[row, group] == max((int(rows[row, position]) for position in own), default=-(2**62))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_columns_in_order_are_not_sorted_again(group_of: list[int]) -> None:
    assert group_columns(np.array(sorted(group_of), np.int32), 4).order is None
