"""Bounds on the wire: a change names what it changes, and null takes away."""

import pytest
from pydantic import ValidationError

from keisan.domain.call_limits import CallLimits
from keisan.wire.call_limits import CallLimitsChange, CallLimitsView, change_limits

STORED = CallLimits(requests_per_minute=5, calls_open_max=6)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{}", STORED),
        ('{"tokens_per_minute": 7}', CallLimits(5, 7, 6)),
        ('{"requests_per_minute": null, "body_bytes_max": 9223372036854775807}', CallLimits(None, None, 6, 2**63 - 1)),
    ],
)
def test_change_leaves_what_it_does_not_name(text: str, after: CallLimits) -> None:
    change = CallLimitsChange.model_validate_json(text)
    assert change_limits(STORED, change) == after
    again = CallLimitsChange.model_validate_json(change.model_dump_json())
    assert change_limits(STORED, again) == after


@pytest.mark.parametrize("bound", ["0", "-1", "1.5", '"many"', str(2**63)])
def test_bound_that_is_none_is_refused(bound: str) -> None:
    with pytest.raises(ValidationError):
        CallLimitsChange.model_validate_json(f'{{"calls_open_max": {bound}}}')


def test_view_shows_every_bound() -> None:
    shown = CallLimitsView.model_validate(STORED).model_dump()
    assert shown == {"requests_per_minute": 5, "tokens_per_minute": None, "calls_open_max": 6, "body_bytes_max": None}
