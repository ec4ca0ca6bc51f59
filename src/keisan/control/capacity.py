"""Capacity of all kinds side by side, each from a source of its own; a kind without a source is not known.

Daemon gives the sources of connected, schedulable and verified capacity; registered and surveyed are read here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keisan.control.context import Control
from keisan.domain.access import OrganizationScope, Scope
from keisan.domain.capacity import (
    CapacityFigure,
    CapacityKey,
    CapacityKind,
    CapacityRow,
    CapacitySum,
    state_share_ppm,
    sum_capacity,
)
from keisan.domain.claim import list_registered
from keisan.domain.figure import Precision
from keisan.domain.survey import choose_newest_lines, list_surveyed
from keisan.wire.capacity import CapacityKindView, CapacityLine, CapacityShare, CapacityView, build_sum_view


@dataclass(frozen=True, slots=True)
class CapacityReading:
    """What a source knows: rows, and of when they are. No rows mean that there is nothing, which is not the same as unknown."""

    rows: Sequence[CapacityRow]
    read_at: datetime


class CapacitySource(Protocol):
    """Where one kind of capacity is known."""

    @property
    def kind(self) -> CapacityKind: ...
    async def read_capacity(self, control: Control, scope: Scope) -> CapacityReading | None:
        """Return what is known within a scope; None where nothing is, which is shown as unknown and never as nought."""
        ...


class RegisteredSource:
    """What owners claim; unknown where nobody claims anything, and to organizations."""

    kind = CapacityKind.REGISTERED

    async def read_capacity(self, control: Control, scope: Scope) -> CapacityReading | None:
        """Return claims as rows."""
        if isinstance(scope, OrganizationScope):
            return None
        async with control.storage.read() as view:
            claims = await view.claims.list_all(scope)
            if not claims:
                return None
            sites = {site.id: site for site in await view.sites.list_all(scope)}
            names = {site.provider_id: await view.providers.get(scope, site.provider_id) for site in sites.values()}
        return CapacityReading(
            list_registered(claims, sites, names, control.chips), max(claim.claimed_at for claim in claims)
        )


class SurveyedSource:
    """What surveys say of facilities that are not connected; unknown without a survey."""

    kind = CapacityKind.SURVEYED

    async def read_capacity(self, control: Control, scope: Scope) -> CapacityReading | None:
        """Return the lines that count today as rows."""
        async with control.storage.read() as view:
            lines = choose_newest_lines(await view.surveys.list_all(scope), control.clock.now().date())
        if not lines:
            return None
        return CapacityReading(list_surveyed(lines, control.chips), max(line.created_at for line in lines))


OWN_SOURCES: tuple[CapacitySource, ...] = (RegisteredSource(), SurveyedSource())


async def draw_capacity(
    control: Control, scope: Scope, by: CapacityKey, sources: Sequence[CapacitySource] = ()
) -> CapacityView:
    """Return capacity by a key, from these sources and from what the platform keeps itself."""
    readings: dict[CapacityKind, CapacityReading] = {}
    for source in (*OWN_SOURCES, *sources):
        reading = await source.read_capacity(control, scope)
        if reading is not None:
            readings[source.kind] = reading
    sums = {kind: {line.value: line for line in sum_capacity(reading.rows, by)} for kind, reading in readings.items()}
    values = sorted({value for own in sums.values() for value in own}, key=lambda value: (value is None, value or ""))
    totals = {kind: total for kind, reading in readings.items() for total in sum_capacity(reading.rows, None)}
    return CapacityView(
        by=by,
        kinds={
            kind: CapacityKindView(
                is_known=kind in readings, read_at=readings[kind].read_at if kind in readings else None
            )
            for kind in CapacityKind
        },
        lines=tuple(
            _build_line(value, {kind: own[value] for kind, own in sums.items() if value in own}) for value in values
        ),
        total=_build_line(None, totals),
        share=_state_share(totals),
    )


def _build_line(value: str | None, sums: Mapping[CapacityKind, CapacitySum]) -> CapacityLine:
    return CapacityLine(value=value, kinds={kind: build_sum_view(found) for kind, found in sums.items()})


def _state_share(totals: Mapping[CapacityKind, CapacitySum]) -> CapacityShare:
    kinds = (CapacityKind.CONNECTED, CapacityKind.REGISTERED, CapacityKind.SURVEYED)
    devices = [_read_devices(totals.get(kind)) for kind in kinds]
    shares = {
        precision: state_share_ppm(*(_read_gflops(totals.get(kind), precision) for kind in kinds))
        for precision in Precision
    }
    return CapacityShare(
        device_count_ppm=state_share_ppm(*devices),
        gflops_ppm={precision: share_ppm for precision, share_ppm in shares.items() if share_ppm is not None},
    )


def _read_devices(found: CapacitySum | None) -> int | None:
    return None if found is None else found.figures[CapacityFigure.DEVICE_COUNT].value


def _read_gflops(found: CapacitySum | None, precision: Precision) -> int | None:
    total = None if found is None else found.gflops.get(precision)
    return None if total is None else total.value
