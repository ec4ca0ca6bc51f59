"""From what a tool or a file says to values of a sample: units become those of SampleField, nonsense becomes nothing."""

from collections.abc import Mapping
from typing import Final

from keisan.domain.sample import HEALTH_CODES, SAMPLE_FIELDS, VALUE_MAX, SampleName
from keisan.domain.verdict import Verdict

_FIELDS: Final = {field.name: field for field in SAMPLE_FIELDS}
_COUNTERS: Final = frozenset(field.name for field in SAMPLE_FIELDS if field.is_dear and field.most == VALUE_MAX)


def keep_values(found: Mapping[SampleName, float | None], *, is_dear: bool) -> dict[SampleName, int]:
    """Return what was found as whole numbers within the bounds of each field.

    What is not known, out of bounds, or dear when only the cheap was asked for is left out; a counter that has run past
    what fits stays at the most it can be.
    """
    kept: dict[SampleName, int] = {}
    for name, number in found.items():
        field = _FIELDS[name]
        # Not a number is not equal to itself.
        if number is None or number != number or (field.is_dear and not is_dear):  # noqa: PLR0124
            continue
        value = round(min(number, field.most) if name in _COUNTERS else max(min(number, 2.0**62), -(2.0**62)))
        if field.least <= value <= field.most:
            kept[name] = value
    return kept


def encode_health(verdict: Verdict) -> int:
    """Return the verdict as the HEALTH field holds it."""
    return HEALTH_CODES[verdict]
