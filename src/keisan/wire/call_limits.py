"""Bounds on calls, on the wire: what people set, layer by layer, and what they see."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from keisan.domain.call_limits import CallLimits
from keisan.wire.base import INTEGER_MAX, WireChange, WireView

Bound = Annotated[int, Field(ge=1, le=INTEGER_MAX)]


class CallLimitsChange(WireChange):
    """Bounds to set; null takes one away."""

    requests_per_minute: Bound | None = None
    tokens_per_minute: Bound | None = None
    calls_open_max: Bound | None = None
    body_bytes_max: Bound | None = None


class CallLimitsView(WireView):
    """Bounds in force at one layer; null where there is none."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    calls_open_max: int | None
    body_bytes_max: int | None


def change_limits(stored: CallLimits, change: CallLimitsChange) -> CallLimits:
    """Return the bounds after a change."""
    return replace(stored, **{name: getattr(change, name) for name in change.model_fields_set})
