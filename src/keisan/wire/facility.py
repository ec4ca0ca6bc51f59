"""Records of facilities on the wire: as JSON for one site, and as lines of CSV for many."""

from datetime import UTC, date, datetime
from typing import Annotated
from unicodedata import category
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from keisan.domain.facility import (
    LATITUDE_MICRODEGREES_MAX,
    LONGITUDE_MICRODEGREES_MAX,
    PORT_GBPS,
    Facility,
    Ring,
    judge_rings,
)
from keisan.domain.verdict import Verdict
from keisan.wire.base import Count, Name, Region, WireInput, WireView
from keisan.wire.csv_file import CsvColumn, CsvShape, list_plain
from keisan.wire.page import ListQuery

# What makes a spreadsheet take a cell for a formula, in half and in full width.
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # meant so
# No ratio of a real facility is near to it.
RATIO_MAX = 1_000_000
RATIO = Field(ge=0, le=RATIO_MAX)


def check_plain(text: str) -> str:
    """Return a text without control characters that no spreadsheet takes for a formula; raises ValueError for another."""
    if text.startswith(FORMULA_BEGINNINGS) or any(category(character) == "Cc" for character in text):
        raise ValueError("expected a text without control characters that no spreadsheet takes for a formula")
    return text


# Wide enough for any record, and far from where instants end, so that every one of them has a day in UTC.
MeasuredAt = Annotated[AwareDatetime, Field(ge=datetime(1990, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]
PlainText = Annotated[
    str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True), AfterValidator(check_plain)
]


class FacilityWrite(WireInput):
    """What an owner measured at an instant; what is left out is not known. A standard rack is 2.5 kW of rated power.

    `ports` counts ports by their speed in Gbit/s; ratios are thousandths, water millilitres per kWh of the devices.
    """

    measured_at: MeasuredAt
    address: PlainText | None = None
    latitude_microdegrees: Annotated[int, Field(ge=-LATITUDE_MICRODEGREES_MAX, le=LATITUDE_MICRODEGREES_MAX)] | None = (
        None
    )
    longitude_microdegrees: (
        Annotated[int, Field(ge=-LONGITUDE_MICRODEGREES_MAX, le=LONGITUDE_MICRODEGREES_MAX)] | None
    ) = None
    standard_racks: Count | None = None
    standard_racks_in_use: Count | None = None
    rated_power_w: Count | None = None
    power_w: Count | None = None
    pue_permille: Annotated[int, RATIO] | None = None
    wue_ml_per_kwh: Annotated[int, RATIO] | None = None
    green_power_permille: Annotated[int, RATIO] | None = None
    ports: Annotated[dict[str, Count], Field(max_length=len(PORT_GBPS))] | None = None
    latency_hub_us: Count | None = None
    latency_city_us: Count | None = None
    latency_node_us: Count | None = None
    storage_bytes: Count | None = None


class FacilityLine(FacilityWrite):
    """The same as a line of many: `site` is an id, or a name where only one site has it."""

    site: Name


class FacilityQuery(ListQuery):
    """Which records: of one region, of the days from `since` to `until`."""

    region: Region | None = None
    since: date | None = None
    until: date | None = None


class FacilityView(WireView):
    """A record as the API shows it; `fill_permille` and `rings` follow from what was measured."""

    id: UUID
    platform_id: str
    site_id: UUID
    day: date
    measured_at: datetime
    address: str | None
    latitude_microdegrees: int | None
    longitude_microdegrees: int | None
    standard_racks: int | None
    standard_racks_in_use: int | None
    fill_permille: int | None
    rated_power_w: int | None
    power_w: int | None
    pue_permille: int | None
    wue_ml_per_kwh: int | None
    green_power_permille: int | None
    ports: dict[str, int] | None
    latency_hub_us: int | None
    latency_city_us: int | None
    latency_node_us: int | None
    rings: dict[Ring, Verdict]
    storage_bytes: int | None
    recorded_by: UUID
    recorded_at: datetime
    version: int
    created_at: datetime


class UploadAnswer(WireView):
    """What became of the lines of a table that was taken; `older` were measured before what is stored, and changed nothing."""

    created_count: int
    changed_count: int
    unchanged_count: int
    older_count: int = 0
    deleted_count: int = 0


PORT_COLUMNS = tuple(CsvColumn(f"ports_{speed}g", ("ports", str(speed))) for speed in PORT_GBPS)
FACILITY_CSV = CsvShape(
    FacilityLine, (CsvColumn("site", ("site",)), *list_plain(FacilityWrite, {"ports": PORT_COLUMNS}))
)


def build_facility_view(record: Facility) -> FacilityView:
    """Return a record as the API shows it."""
    figures = record.figures
    own = {name: getattr(record, name) for name in FacilityView.model_fields if hasattr(record, name)}
    measured = {name: getattr(figures, name) for name in FacilityView.model_fields if hasattr(figures, name)}
    return FacilityView(**own, **measured, rings=judge_rings(figures))
