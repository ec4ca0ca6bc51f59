"""Options that bound calls, alike for organizations, projects and keys, and how bounds are told."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated

import typer

from keisan.domain.errors import InvalidInput
from keisan.sdk import CallLimitsChange, CallLimitsView

NONE = "none"
BOUND_MAX = 2**63 - 1
PANEL = "Bounds (a number, or none)"
UNITS = {
    "requests_per_minute": "requests/min",
    "tokens_per_minute": "tokens/min",
    "calls_open_max": "calls open",
    "body_bytes_max": "body bytes",
}


@dataclass(frozen=True, slots=True)
class BoundOptions:
    """A bound that is not given stays as it is."""

    requests_per_minute: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Calls a minute.", rich_help_panel=PANEL)
    ] = None
    tokens_per_minute: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Tokens a minute, in and out.", rich_help_panel=PANEL)
    ] = None
    calls_open_max: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Calls open at a time.", rich_help_panel=PANEL)
    ] = None
    body_bytes_max: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Bytes of a request's body.", rich_help_panel=PANEL)
    ] = None


def read_bounds(options: BoundOptions) -> CallLimitsChange:
    """Return the change that the options ask for; raises InvalidInput for what is neither a number nor none."""
    return CallLimitsChange(**dict(_read_each(options)))


def read_number(text: str, option: str) -> int | None:
    """Return a whole number from 1, or None for "none"; raises InvalidInput naming the option."""
    if text == NONE:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= BOUND_MAX):
        raise InvalidInput(f"expected a whole number from 1, or {NONE}, got '{text}'", option)
    return int(text)


def describe_limits(limits: CallLimitsView) -> str:
    """Return bounds in a line: "600 requests/min, 4 calls open"."""
    told = [f"{bound} {UNITS[name]}" for name, bound in limits if bound is not None]
    return ", ".join(told) or NONE


def _read_each(options: BoundOptions) -> Iterator[tuple[str, int | None]]:
    for field in fields(options):
        text = getattr(options, field.name)
        if text is not None:
            yield field.name, read_number(text, f"--{field.name.replace('_', '-')}")
