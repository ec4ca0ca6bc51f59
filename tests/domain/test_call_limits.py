"""Bounds on calls: which of two is the wider."""

import pytest

from keisan.domain.call_limits import CallLimits


@pytest.mark.parametrize(
    ("own", "than", "wider"),
    [
        (CallLimits(), CallLimits(), None),
        (CallLimits(1, 2, 3, 4), CallLimits(), None),
        (CallLimits(1, 2, 3, 4), CallLimits(1, 2, 3, 4), None),
        (CallLimits(), CallLimits(1), "requests_per_minute"),
        (CallLimits(2), CallLimits(1), "requests_per_minute"),
        (CallLimits(tokens_per_minute=3), CallLimits(tokens_per_minute=2), "tokens_per_minute"),
        (CallLimits(1, 1), CallLimits(calls_open_max=2), "calls_open_max"),
        (CallLimits(1, 1, 1, 5), CallLimits(1, 1, 1, 4), "body_bytes_max"),
    ],
)
def test_bound_that_is_not_kept_is_named(own: CallLimits, than: CallLimits, wider: str | None) -> None:
    assert own.find_wider(than) == wider
