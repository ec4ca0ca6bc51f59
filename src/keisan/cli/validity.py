"""Options that say from when until when something holds, and how that is told."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@dataclass(frozen=True, slots=True)
class ValidityOptions:
    """From when until when, in UTC."""

    start: Annotated[
        datetime | None, typer.Option("--from", formats=FORMATS, help="From when on (UTC), default now.")
    ] = None
    end: Annotated[
        datetime | None, typer.Option("--until", formats=FORMATS, help="Until when (UTC), default until a newer one.")
    ] = None


def read_instant(typed: datetime | None) -> datetime | None:
    """Return a typed instant as one in UTC."""
    return None if typed is None else typed.replace(tzinfo=UTC)


def describe_validity(effective_from: datetime, effective_until: datetime | None) -> str:
    """Return from when until when something holds, in a line."""
    start = f"from {_format_instant(effective_from)}"
    return start if effective_until is None else f"{start} until {_format_instant(effective_until)}"


def _format_instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
