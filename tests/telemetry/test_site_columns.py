"""Columns of a site: values where their numbers say, and who has been heard."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.sample import DEAR_EVERY_MAX, FIELD_INDEX, SampleName
from keisan.telemetry.site_columns import NEVER_MS, SiteColumns
from tests.telemetry.fleet import NOON, PERIOD_MS, build_inventory, build_values

CLOCK = FIELD_INDEX[SampleName.CLOCK_MHZ]


def begin(count: int) -> SiteColumns:
    return SiteColumns.begin(build_inventory([0] * count), np.full((2, count), -1, np.int64))


@given(st.sets(st.integers(0, 19), min_size=1))
def test_values_stand_where_their_numbers_say(chosen: set[int]) -> None:
    columns, numbers = begin(20), np.array(sorted(chosen), np.uint32)
    columns.take(numbers, build_values(len(numbers), clock_mhz=numbers.astype(np.int32)), 5_000, PERIOD_MS)
    for number in range(20):
        is_told = number in chosen
        assert (int(columns.values[CLOCK, number]) == number) == is_told
        assert int(columns.proven_ms[number]) == (5_000 if is_told else NEVER_MS)


def test_silence_begins_just_after_three_periods_and_is_foretold() -> None:
    columns = begin(2)
    columns.take(np.array([0], np.uint32), build_values(1), 1_000, PERIOD_MS)
    columns.take(np.array([1], np.uint32), build_values(1), 2_000, PERIOD_MS)
    reporting, due_ms = columns.find_reporting(3_000)
    assert (reporting.tolist(), due_ms) == ([True, True], 1_000 + 3 * PERIOD_MS + 1)
    assert columns.find_reporting(due_ms - 1)[0].tolist() == [True, True]
    reporting, next_ms = columns.find_reporting(due_ms)
    assert (reporting.tolist(), next_ms) == ([False, True], 2_000 + 3 * PERIOD_MS + 1)
    # Nobody is left to fall silent.
    reporting, never_ms = columns.find_reporting(next_ms)
    assert (reporting.tolist(), never_ms) == ([False, False], -NEVER_MS)


def test_each_dear_value_is_forgotten_at_its_own_time() -> None:
    columns, last_ms = begin(2), 3 * DEAR_EVERY_MAX * PERIOD_MS
    for number in (0, 1):
        columns.take(
            np.array([number], np.uint32), build_values(1, link_error_count=5), 1_000 + number * PERIOD_MS, PERIOD_MS
        )
    found, due_ms = columns.values[FIELD_INDEX[SampleName.LINK_ERROR_COUNT]], columns.forget_dear(2_000)
    assert due_ms == 1_000 + last_ms + 1
    assert columns.forget_dear(due_ms - 1) == due_ms
    assert (found == 5).tolist() == [True, True]
    assert columns.forget_dear(due_ms) == due_ms + PERIOD_MS
    assert (found == 5).tolist() == [False, True]
    assert columns.forget_dear(due_ms + PERIOD_MS) > NOON.wall_ms
    assert (found == 5).tolist() == [False, False]
