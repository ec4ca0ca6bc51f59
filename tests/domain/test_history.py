"""Windows of history."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.history import DAY_MS, WINDOW_MS, HistoryTerms, Month, SequenceRanges, Tier, Window, find_window

DAY_START_MS = 1_795_651_200_000


@pytest.mark.parametrize(("at_ms", "start_ms"), [(0, 0), (WINDOW_MS - 1, 0), (WINDOW_MS, WINDOW_MS)])
def test_a_window_holds_its_begin_and_not_its_end(at_ms: int, start_ms: int) -> None:
    assert find_window("CN-SX", DAY_START_MS + at_ms) == Window("CN-SX", DAY_START_MS + start_ms)


def test_a_window_ends_where_the_next_begins() -> None:
    assert find_window("CN-SX", Window("CN-SX", DAY_START_MS).end_ms).start_ms == DAY_START_MS + WINDOW_MS


def test_a_window_is_of_one_month() -> None:
    assert Window("CN-SX", DAY_START_MS).month == Month("CN-SX", "2026-11")
    assert Window("CN-SX", DAY_START_MS + 5 * DAY_MS - WINDOW_MS).month == Month("CN-SX", "2026-11")
    assert Window("CN-SX", DAY_START_MS + 5 * DAY_MS).month == Month("CN-SX", "2026-12")


@given(st.lists(st.lists(st.integers(0, 30), max_size=5), max_size=5))
def test_a_set_of_sequences_holds_what_was_added(batches: list[list[int]]) -> None:
    found = SequenceRanges()
    for batch in batches:
        found = found.add((each, each) for each in batch)
    added = {each for batch in batches for each in batch}
    assert [each for each in range(32) if each in found] == sorted(added)
    # Ranges never touch: there are as few as can be.
    assert all(first[1] + 1 < second[0] for first, second in pairwise(found.ranges))


def test_days_are_kept_for_ever() -> None:
    kept = {tier: HistoryTerms().find_kept_ms(tier) for tier in Tier}
    assert kept == {
        Tier.SAMPLE: 2 * DAY_MS,
        Tier.MINUTE: 30 * DAY_MS,
        Tier.HOUR: 1826 * DAY_MS,
        Tier.DAY: None,
        Tier.SITE_HOUR: None,
    }
