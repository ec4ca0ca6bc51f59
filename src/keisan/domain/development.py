"""Development: what a region, or the whole platform, came to within a month, figure by figure, each with how much it is of."""

import calendar
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from keisan.domain.errors import InvalidInput
from keisan.domain.facility import Facility
from keisan.domain.ids import SiteId

PERMILLE: Final = 1000
# A record that is older at a month's begin does not speak for it.
RECORD_LIFE: Final = timedelta(days=31)
_MONTH: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class DevelopmentFigure:
    """A figure at a month's begin and at its end, or now within it; None where nobody told it.

    Of what is counted by month, as calls, `first` is the month before. `coverage_permille` is the share that reported what
    `last` is made of, and `as_of` when its newest part was told; None where that is not known.
    """

    name: str
    unit: str
    first: int | None
    last: int | None
    coverage_permille: int | None
    as_of: datetime | None

    @property
    def growth_permille(self) -> int | None:
        """Return by how much it grew, below 0 if it fell; None where either is not known, or it began with nothing."""
        if self.first is None or self.last is None or self.first <= 0:
            return None
        return (self.last - self.first) * PERMILLE // self.first


def parse_month(text: str) -> tuple[date, date]:
    """Return the first and the last day of YYYY-MM; raises InvalidInput."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise InvalidInput("expected a month as 2026-11", "month")
    year, month = int(found[1]), int(found[2])
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def choose_records(records: Iterable[Facility], first_day: date) -> tuple[Sequence[Facility], Sequence[Facility]]:
    """Return each site's record at a month's begin, or its first within it, and its last."""
    first: dict[SiteId, Facility] = {}
    last: dict[SiteId, Facility] = {}
    for record in sorted(records, key=lambda each: each.day):
        if record.site_id not in first or record.day <= first_day:
            first[record.site_id] = record
        last[record.site_id] = record
    return tuple(first.values()), tuple(last.values())


def describe_facilities(
    first: Sequence[Facility], last: Sequence[Facility], site_count: int
) -> tuple[DevelopmentFigure, ...]:
    """Return what records of facilities come to; PUE is all power to that of IT, of those sites that tell both."""

    def describe(name: str, unit: str, read: Callable[[Facility], tuple[int, int] | None]) -> DevelopmentFigure:
        told = [each for each in last if read(each) is not None]
        coverage = len(told) * PERMILLE // site_count if site_count else None
        as_of = max((each.measured_at for each in told), default=None)
        return DevelopmentFigure(name, unit, divide(map(read, first)), divide(map(read, last)), coverage, as_of)

    return (
        describe("standard_racks", "{rack}", lambda each: _count(each.figures.standard_racks)),
        describe("standard_racks_in_use", "{rack}", lambda each: _count(each.figures.standard_racks_in_use)),
        describe("fill_permille", "1e-3", _read_fill),
        describe("pue_permille", "1e-3", _read_pue),
    )


def divide(parts: Iterable[tuple[int, int] | None]) -> int | None:
    """Return the sum of what is divided by the sum of what it is divided by, None without any; a divisor of 0 is a count."""
    told = [each for each in parts if each is not None]
    divisor = sum(below for _, below in told)
    whole = sum(above for above, _ in told)
    if not told:
        return None
    return whole // divisor if divisor else whole


def _count(value: int | None) -> tuple[int, int] | None:
    return None if value is None else (value, 0)


def _read_fill(record: Facility) -> tuple[int, int] | None:
    racks, in_use = record.figures.standard_racks, record.figures.standard_racks_in_use
    return (in_use * PERMILLE, racks) if racks and in_use is not None else None


def _read_pue(record: Facility) -> tuple[int, int] | None:
    pue, power_w = record.figures.pue_permille, record.figures.power_w
    # In milliwatts, so that little is lost by whole numbers.
    return (power_w * PERMILLE * PERMILLE, power_w * PERMILLE * PERMILLE // pue) if pue and power_w else None
