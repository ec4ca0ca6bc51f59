"""What an event tells of a change: each field that has another value now, and the value it had before."""

from collections.abc import Mapping
from dataclasses import asdict

from keisan.domain.budget import Budget
from keisan.domain.key import Key
from keisan.domain.organization import Organization
from keisan.domain.project import Project

Described = Organization | Project | Key | Budget


def describe_changes(before: Described, after: Described) -> dict[str, str]:
    """Return an event's detail: `name` and `previous_name` for a change of name, and so on; nothing is the empty text."""
    old, new = _tell_fields(asdict(before)), _tell_fields(asdict(after))
    detail: dict[str, str] = {}
    for name in new:
        if name != "version" and old[name] != new[name]:
            detail |= {name: new[name], f"previous_{name}": old[name]}
    return detail


def _tell_fields(fields: Mapping[str, object]) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            told |= _tell_fields(value)
        else:
            told[name] = "" if value is None else str(value)
    return told
