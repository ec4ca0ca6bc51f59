"""A facility: the building and power around a site, as its owner measured it; one record for each site and day, kept for ever.

A standard rack is 2.5 kW of rated power, by convention. What nobody measured is None. Ratios are whole numbers of thousandths.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import FacilityId, KeyId, PlatformId, SiteId
from keisan.domain.verdict import Verdict

STANDARD_RACK_W = 2500
PERMILLE = 1000
PORT_GBPS = (10, 25, 40, 100, 200, 400, 800)
LATITUDE_MICRODEGREES_MAX = 90_000_000
LONGITUDE_MICRODEGREES_MAX = 180_000_000


class Ring(StrEnum):
    """Rings of latency: to a hub of the backbone, to the next city, to other nodes within the region."""

    HUB = "hub"
    CITY = "city"
    NODE = "node"


# At most so long a way back and forth, in microseconds: 20, 5 and 1 ms.
RING_US: Mapping[Ring, int] = {Ring.HUB: 20_000, Ring.CITY: 5_000, Ring.NODE: 1_000}


@dataclass(frozen=True, slots=True)
class FacilityFigures:
    """What an owner says of a facility. Storage, ports and racks are counts; `wue_ml_per_kwh` is water for each kWh of IT.

    `ports` counts network ports by their speed in Gbit/s, as text; `latency_*_us` is to the nearest of a ring's other end.
    """

    address: str | None = None
    latitude_microdegrees: int | None = None
    longitude_microdegrees: int | None = None
    standard_racks: int | None = None
    standard_racks_in_use: int | None = None
    rated_power_w: int | None = None
    power_w: int | None = None
    pue_permille: int | None = None
    wue_ml_per_kwh: int | None = None
    green_power_permille: int | None = None
    ports: Mapping[str, int] | None = None
    latency_hub_us: int | None = None
    latency_city_us: int | None = None
    latency_node_us: int | None = None
    storage_bytes: int | None = None

    @property
    def fill_permille(self) -> int | None:
        """Which share of its standard racks is in use; None where either is not known, or there are none."""
        if self.standard_racks_in_use is None or not self.standard_racks:
            return None
        return self.standard_racks_in_use * PERMILLE // self.standard_racks


@dataclass(frozen=True, slots=True)
class Facility:
    """The record of one site and day (UTC, of `measured_at`); the newest measurement of a day stands for it."""

    id: FacilityId
    platform_id: PlatformId
    site_id: SiteId
    day: date
    measured_at: datetime
    figures: FacilityFigures
    recorded_by: KeyId
    recorded_at: datetime
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FacilityFilter:
    """Records of one region, or all; of the days from `since` to `until`, both within, None for no bound."""

    region: str | None = None
    since: date | None = None
    until: date | None = None


class RecordOutcome(StrEnum):
    """What became of a record that was handed in; only the first two change something."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    OLDER = "older"


def check_figures(figures: FacilityFigures) -> None:
    """Raise InvalidInput for half a place, more racks in use than there are, or a ratio that cannot be."""
    places = (figures.latitude_microdegrees, figures.longitude_microdegrees)
    if (places[0] is None) is not (places[1] is None):
        raise InvalidInput("expected latitude and longitude, or neither", "latitude_microdegrees")
    if figures.standard_racks is not None and (figures.standard_racks_in_use or 0) > figures.standard_racks:
        raise InvalidInput(f"expected at most the {figures.standard_racks} there are", "standard_racks_in_use")
    if figures.pue_permille is not None and figures.pue_permille < PERMILLE:
        raise InvalidInput("expected 1000 or more: all power is at least that of the devices", "pue_permille")
    if figures.green_power_permille is not None and figures.green_power_permille > PERMILLE:
        raise InvalidInput("expected at most 1000", "green_power_permille")
    unknown = set(figures.ports or ()) - {str(speed) for speed in PORT_GBPS}
    if unknown:
        raise InvalidInput(f"expected speeds of {', '.join(map(str, PORT_GBPS))} Gbit/s", f"ports.{min(unknown)}")


def merge_facility(stored: Facility | None, new: Facility) -> tuple[Facility, RecordOutcome]:
    """Return which record stands for a site and day after `new` was handed in, and what became of it.

    What was measured later stands; of two of one instant the one that was handed in last, which corrects the other.
    """
    if stored is None:
        return new, RecordOutcome.CREATED
    if new.measured_at < stored.measured_at:
        return stored, RecordOutcome.OLDER
    if (new.measured_at, new.figures) == (stored.measured_at, stored.figures):
        return stored, RecordOutcome.UNCHANGED
    kept = replace(new, id=stored.id, created_at=stored.created_at, version=stored.version + 1)
    return kept, RecordOutcome.CHANGED


def judge_rings(figures: FacilityFigures) -> dict[Ring, Verdict]:
    """Return whether a facility lies within each ring: unknown where it was not measured."""
    found = {
        Ring.HUB: figures.latency_hub_us,
        Ring.CITY: figures.latency_city_us,
        Ring.NODE: figures.latency_node_us,
    }
    return {ring: _judge_ring(found[ring], bound_us) for ring, bound_us in RING_US.items()}


def choose_month_ends(records: Iterable[Facility]) -> tuple[Facility, ...]:
    """Return of each site and month the record of its last day, in order of month and site."""
    last: dict[tuple[int, int, SiteId], Facility] = {}
    for record in sorted(records, key=lambda record: record.day):
        last[record.day.year, record.day.month, record.site_id] = record
    return tuple(last[key] for key in sorted(last))


def _judge_ring(measured_us: int | None, bound_us: int) -> Verdict:
    if measured_us is None:
        return Verdict.UNKNOWN
    return Verdict.OK if measured_us <= bound_us else Verdict.FAILED
