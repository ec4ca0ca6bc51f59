"""What an event tells of a change: each field that has another value now, and the value it had before."""

from collections.abc import Mapping
from dataclasses import asdict

from keisan.domain.budget import Budget
from keisan.domain.key import Key
from keisan.domain.organization import Organization
from keisan.domain.platform import Platform
from keisan.domain.project import Project

# By currency: each is told under its own name.
AMOUNTS = frozenset({"wallet_low_nano", "four_eyes_nano"})
Described = Organization | Project | Key | Budget | Platform


def describe_changes(before: Described, after: Described) -> dict[str, str]:
    """Return an event's detail: `name` and `previous_name` for a change of name, and so on; nothing is the empty text."""
    old, new = _tell_fields(asdict(before)), _tell_fields(asdict(after))
    detail: dict[str, str] = {}
    for name in sorted({*old, *new}):
        was, now = old.get(name, ""), new.get(name, "")
        if name != "version" and was != now:
            detail |= {name: now, f"previous_{name}": was}
    return detail


def _tell_fields(fields: Mapping[str, object]) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in fields.items():
        if name in AMOUNTS and isinstance(value, Mapping):
            told |= {f"{name}.{currency}": str(amount_nano) for currency, amount_nano in value.items()}
        elif isinstance(value, Mapping):
            told |= _tell_fields(value)
        else:
            told[name] = "" if value is None else str(value)
    return told
