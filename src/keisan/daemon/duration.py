"""Durations as people write them."""

import math

from keisan.domain.errors import InvalidInput


def read_duration_s(text: str, option: str) -> float:
    """Return the seconds of a text like 10s, 5m or 1h; raises InvalidInput."""
    scale = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    try:
        duration_s = float(text[:-1]) * scale if scale else 0.0
    except ValueError:
        duration_s = 0.0
    if not 0 < duration_s < math.inf:
        raise InvalidInput(f"expected a duration like 10s, 5m or 1h, got {text!r}", option)
    return duration_s
