"""Durations as people write them: with a unit, more than nothing, and finite."""

import pytest

from keisan.daemon.duration import read_duration_s
from keisan.domain.errors import InvalidInput


def test_units_are_seconds_minutes_and_hours() -> None:
    assert [read_duration_s(text, "cut") for text in ("10s", "1.5m", "2h")] == [10, 90, 7200]


@pytest.mark.parametrize("text", ["", "s", "10", "0s", "-1s", "tens", "infs", "nans", "1d"])
def test_what_is_none_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected a duration like 10s, 5m or 1h") as refused:
        read_duration_s(text, "cut")
    assert refused.value.field == "cut"
