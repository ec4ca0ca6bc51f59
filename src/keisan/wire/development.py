"""Development over a month on the wire."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from keisan.wire.base import Region, WireInput, WireView


class DevelopmentQuery(WireInput):
    """Of which region, without one of the whole platform; of which month, as 2026-11, without one of this."""

    region: Region | None = None
    month: Annotated[str, Field(max_length=7)] | None = None


class DevelopmentFigureView(WireView):
    """A figure at the month's begin and at its end, or now within it; null where nobody told it.

    Of what is counted by month, as calls, `first` is the month before. `coverage_permille` is the share that reported,
    `as_of` when its newest part was told and `age_s` how long ago; null where that is not known.
    """

    name: str
    unit: str
    first: int | None
    last: int | None
    growth_permille: int | None
    coverage_permille: int | None
    as_of: datetime | None
    age_s: int | None


class DevelopmentView(WireView):
    """All figures of a region, or of the whole platform where `region` is null, of the days `since` to `until`."""

    region: str | None
    since: date
    until: date
    taken_at: datetime
    figures: tuple[DevelopmentFigureView, ...]
