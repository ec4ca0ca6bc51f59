"""Numbers as tools print them: "65.23 W", "4000 KB/s", {"value": 41, "unit": "C"}, or "[N/A]", which is none."""

import re
from typing import Final

_NUMBER: Final = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z%/]*)")
# Tools write MB and mean MiB: a device with 65536 of them has 64 GiB.
_MIB: Final = {"": 1.0, "b": 2**-20, "k": 2**-10, "m": 1.0, "g": 2.0**10, "t": 2.0**20}
_KIB: Final = {"": 1.0, "b": 2**-10, "k": 1.0, "m": 2.0**10, "g": 2.0**20}
_NOTHING: Final = frozenset({"", "-", "n/a", "na", "none", "unknown", "not supported", "unknown error", "err!"})


def clean_text(found: object) -> str:
    """Return a text without blanks around it, empty for all the ways in which tools say nothing."""
    text = str(found if found is not None else "").strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    return "" if text.lower() in _NOTHING else text


def _split_number(found: object) -> tuple[float, str] | None:
    if isinstance(found, dict):
        value, unit = found.get("value"), str(found.get("unit") or "")
        inner = _split_number(value)
        return None if inner is None else (inner[0], unit or inner[1])
    if isinstance(found, bool):
        return None
    match = _NUMBER.match(clean_text(found))
    return None if match is None else (float(match.group(1)), match.group(2))


def take_number(found: object, factor: float = 1.0) -> float | None:
    """Return the number that a value begins with, times `factor`; None where there is none."""
    split = _split_number(found)
    return None if split is None else split[0] * factor


def take_mib(found: object) -> float | None:
    """Return an amount of memory in MiB; a number without a unit is in MiB."""
    return _convert(found, _MIB)


def take_kib_per_s(found: object) -> float | None:
    """Return a rate in KiB/s; a number without a unit is in KiB/s."""
    return _convert(found, _KIB)


def _convert(found: object, factors: dict[str, float]) -> float | None:
    split = _split_number(found)
    factor = None if split is None else factors.get(split[1][:1].lower())
    return None if split is None or factor is None else split[0] * factor


def add_known(*found: float | None) -> float | None:
    """Return the sum of what is known, None if nothing is."""
    known = [number for number in found if number is not None]
    return sum(known) if known else None


def share_permille(used: float | None, total: float | None) -> float | None:
    """Return used / total in thousandths, None where either is not known."""
    return None if used is None or not total else used * 1000 / total
