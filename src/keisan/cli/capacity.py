"""`keisan capacity`: registered, connected, schedulable, verified and surveyed capacity side by side."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.cli.telemetry import format_age
from keisan.kit.clock import SystemClock
from keisan.kit.units import format_bytes, format_gflops, format_percent
from keisan.sdk import (
    CapacityFigure,
    CapacityKey,
    CapacityKind,
    CapacityLine,
    CapacityPlatform,
    CapacityView,
    Precision,
    TotalView,
)

UNKNOWN = "unknown"
TOTAL = "all"
PLATFORM_COLUMNS = ("platform", "region", "state", "age", "sites", "devices counted elsewhere")
ByOption = Annotated[CapacityKey, typer.Option(help="What to sum by.")]
WORDS = {
    CapacityFigure.DEVICE_COUNT: "devices",
    CapacityFigure.STANDARD_RACKS: "standard racks",
    CapacityFigure.MEMORY_BYTES: "memory",
    CapacityFigure.BANDWIDTH_BYTES_PER_S: "bandwidth",
}


async def show_capacity(session: Session, by: ByOption = CapacityKey.REGION) -> None:
    """Show capacity of all kinds, each by itself: what is claimed, what reports, what may be used, what was measured.

    Surveyed is of facilities that are not connected. "unknown" is not nought; "12+" is 12, and some did not say.
    """
    found = await session.keisan.capacity.get(by)
    if session.output.is_json:
        session.output.show_json(found.model_dump(mode="json"))
        return
    rows = [row for line in found.lines for row in _walk_rows(line.value or UNKNOWN, line)]
    rows += _walk_rows(TOTAL, found.total)
    session.output.show_table((by, "figure", *CapacityKind), rows)
    session.output.show_text(_describe_share(found))
    if found.platforms:
        session.output.show_table(
            PLATFORM_COLUMNS, [describe_platform(each, SystemClock().now()) for each in found.platforms]
        )


def describe_platform(told: CapacityPlatform, now: datetime) -> tuple[str, ...]:
    """Return a platform below as a row: what is free there is not known once it is not heard any more."""
    return (
        told.name or told.platform_id[:12],
        told.region or "-",
        "heard" if told.is_heard else UNKNOWN,
        format_age(told.heard_at, now),
        str(told.site_count),
        f"{told.devices_elsewhere:,}",
    )


def describe_total(total: TotalView | None, format_value: Callable[[int], str]) -> str:
    """Return a sum in words."""
    if total is None or total.value is None:
        return UNKNOWN
    return format_value(total.value) + ("+" if total.untold_rows else "")


def _walk_rows(value: str, line: CapacityLine) -> Iterator[tuple[str, ...]]:
    for name in CapacityFigure:
        totals = [line.kinds[kind].figures.get(name) if kind in line.kinds else None for kind in CapacityKind]
        if any(total is not None and total.value is not None for total in totals):
            yield value, WORDS[name], *(describe_total(total, _choose_format(name)) for total in totals)
    for precision in Precision:
        totals = [line.kinds[kind].gflops.get(precision) if kind in line.kinds else None for kind in CapacityKind]
        if any(total is not None for total in totals):
            yield value, precision, *(describe_total(total, format_gflops) for total in totals)


def _choose_format(name: CapacityFigure) -> Callable[[int], str]:
    if name is CapacityFigure.MEMORY_BYTES:
        return format_bytes
    if name is CapacityFigure.BANDWIDTH_BYTES_PER_S:
        return lambda value: f"{format_bytes(value)}/s"
    return str


def _describe_share(found: CapacityView) -> str:
    share_ppm, word = found.share.gflops_ppm.get(Precision.FP16), "fp16"
    if share_ppm is None:
        share_ppm, word = found.share.device_count_ppm, "devices"
    if share_ppm is None:
        return "the share of all compute that is connected: unknown"
    return f"the share of all compute that is connected: {format_percent(share_ppm)} of {word}"


def add_commands(application: typer.Typer) -> None:
    """Add capacity."""
    add_command(application, "capacity", show_capacity)
