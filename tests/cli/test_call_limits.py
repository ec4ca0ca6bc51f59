"""Options that bound calls: numbers from 1, none, or not given."""

from dataclasses import fields

import pytest

from keisan.cli.call_limits import UNITS, BoundOptions, describe_limits, read_bounds, read_number
from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import InvalidInput
from keisan.sdk import CallLimitsView


def test_only_what_is_given_is_a_change() -> None:
    change = read_bounds(BoundOptions(requests_per_minute="600", calls_open_max="none"))
    assert change.model_dump() == {"requests_per_minute": 600, "calls_open_max": None}
    assert read_bounds(BoundOptions()).model_dump() == {}


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "many", "None", "٣", str(2**63), " 5"])
def test_other_words_are_refused_by_option(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_bounds(BoundOptions(tokens_per_minute=text))
    assert refused.value.field == "--tokens-per-minute"


def test_number_is_read_to_the_largest_that_is_stored() -> None:
    assert (read_number("1", "x"), read_number(str(2**63 - 1), "x"), read_number("none", "x")) == (1, 2**63 - 1, None)


def test_bounds_are_told_with_their_units() -> None:
    view = CallLimitsView.model_validate(CallLimits(600, None, 4, 1024))
    assert describe_limits(view) == "600 requests/min, 4 calls open, 1024 body bytes"
    assert describe_limits(CallLimitsView.model_validate(CallLimits())) == "none"


def test_every_bound_has_an_option_and_a_unit() -> None:
    assert [field.name for field in fields(BoundOptions)] == list(UNITS) == [field.name for field in fields(CallLimits)]
