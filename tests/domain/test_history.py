"""Windows of history."""

import pytest

from keisan.domain.history import WINDOW_MS, Window, find_window

DAY_START_MS = 1_795_651_200_000


@pytest.mark.parametrize(("at_ms", "start_ms"), [(0, 0), (WINDOW_MS - 1, 0), (WINDOW_MS, WINDOW_MS)])
def test_a_window_holds_its_begin_and_not_its_end(at_ms: int, start_ms: int) -> None:
    assert find_window("CN-SX", DAY_START_MS + at_ms) == Window("CN-SX", DAY_START_MS + start_ms)


def test_a_window_is_of_one_day() -> None:
    assert Window("CN-SX", DAY_START_MS).day == "2026-11-26"
    assert Window("CN-SX", DAY_START_MS - WINDOW_MS).day == "2026-11-25"
