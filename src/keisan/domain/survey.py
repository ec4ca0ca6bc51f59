"""A survey: statistics of facilities that are not connected, each line with its evidence. It is never part of another sum.

A survey is known by its source and date, and is handed in whole. Of one source its newest date counts; different sources are
taken to speak of different facilities.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from keisan.domain.capacity import CapacityRow
from keisan.domain.chip import Chip, find_chip_fact
from keisan.domain.evidence import Evidence
from keisan.domain.fact import FactName
from keisan.domain.figure import Precision
from keisan.domain.ids import KeyId, PlatformId, SurveyId


@dataclass(frozen=True, slots=True)
class SurveyedFacility:
    """What one line of a survey says; `owner` is a text as the source has it, and no provider of this platform."""

    region: str
    owner: str
    vendor: str | None = None
    chip: str | None = None
    device_count: int | None = None
    standard_racks: int | None = None
    memory_bytes: int | None = None
    storage_bytes: int | None = None
    pue_permille: int | None = None
    gflops: Mapping[Precision, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SurveyLine:
    """One line of a survey as it is stored; `line` is its place in it, from 1."""

    id: SurveyId
    platform_id: PlatformId
    evidence: Evidence
    line: int
    facility: SurveyedFacility
    uploaded_by: KeyId
    version: int
    created_at: datetime


def choose_newest_lines(lines: Iterable[SurveyLine], day: date) -> tuple[SurveyLine, ...]:
    """Return the lines that count on a day: of each source those of its newest date until then."""
    until = [line for line in lines if line.evidence.date <= day]
    newest: dict[str, date] = {}
    for line in until:
        newest[line.evidence.source] = max(line.evidence.date, newest.get(line.evidence.source, date.min))
    return tuple(line for line in until if newest[line.evidence.source] == line.evidence.date)


def list_surveyed(lines: Iterable[SurveyLine], chips: Mapping[str, Chip]) -> tuple[CapacityRow, ...]:
    """Return lines as rows of surveyed capacity; the vendor is the catalogue's where it knows the chip."""
    return tuple(
        CapacityRow(
            region=facility.region,
            provider=facility.owner,
            vendor=find_chip_fact(chips, facility.chip, FactName.VENDOR) or facility.vendor,
            chip=facility.chip,
            origin=find_chip_fact(chips, facility.chip, FactName.DESIGNED_IN),
            device_count=facility.device_count,
            standard_racks=facility.standard_racks,
            memory_bytes=facility.memory_bytes,
            gflops=facility.gflops,
        )
        for facility in (line.facility for line in lines)
    )
