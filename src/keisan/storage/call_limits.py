"""Bounds on calls, as a column that organizations, projects and keys share."""

from collections.abc import Mapping

from keisan.domain.call_limits import CallLimits
from keisan.storage.schema import AnyColumn, Structure, build_column


def encode_limits(limits: CallLimits) -> dict[str, int]:
    """Return the bounds that there are, as JSON knows them: a bound that a later release adds is absent from old rows."""
    named = {name: getattr(limits, name) for name in CallLimits.__slots__}
    return {name: bound for name, bound in named.items() if bound is not None}


def decode_limits(stored: Mapping[str, int]) -> CallLimits:
    """Return what encode_limits was given."""
    return CallLimits(**stored)


def build_limits_column() -> AnyColumn:
    """Return the column `limits`."""
    return build_column("limits", Structure(encode_limits, decode_limits))
