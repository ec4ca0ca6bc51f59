"""Bounds as a column: what there is goes in, and comes back."""

import pytest

from keisan.domain.call_limits import CallLimits
from keisan.storage.call_limits import build_limits_column, decode_limits, encode_limits


@pytest.mark.parametrize("limits", [CallLimits(), CallLimits(1, 2, 3, 2**63 - 1), CallLimits(calls_open_max=4)])
def test_bounds_come_back(limits: CallLimits) -> None:
    assert decode_limits(encode_limits(limits)) == limits


def test_only_bounds_that_there_are_are_stored() -> None:
    assert encode_limits(CallLimits(tokens_per_minute=7)) == {"tokens_per_minute": 7}
    assert encode_limits(CallLimits()) == {}


def test_column_is_never_null() -> None:
    column = build_limits_column()
    assert (column.name, column.nullable) == ("limits", False)
