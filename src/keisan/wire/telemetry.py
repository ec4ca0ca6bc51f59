"""Live telemetry as the API shows it. What is not known is null, never 0; beside each sum stands of how many devices it is."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.frame import FrameOutcome
from keisan.domain.limits import SCRAPE_DEVICES_MAX, STREAM_EVENTS_MAX
from keisan.domain.roll_up import Level
from keisan.domain.verdict import Verdict
from keisan.wire.base import Region, WireInput, WireView

DEVICES_PER_ANSWER_MAX = 10_000


class RollUpQueryInput(WireInput):
    """Sums by what, of which sites; levels inside a site need the site."""

    level: Level = Level.REGION
    region: Region | None = None
    site_id: UUID | None = None


class SumView(WireView):
    """A sum over the `devices` that told the value; `mean` is rounded down, null if none did."""

    total: int
    devices: int
    mean: int | None


class RollUpSourceView(WireView):
    """What of a roll-up another platform told; `is_heard` false makes that part unknown, as it was told at `heard_at`."""

    platform_id: str
    platform_name: str
    verdict: Verdict
    device_count: int
    is_heard: bool
    heard_at: datetime | None


class RollUpView(WireView):
    """Sums over the devices of one thing as of the last second; fields and units are those of a sample.

    `coverage_permille` is the share of devices that report. `proven_at` is when one of them was heard last, `sampled_at` the
    newest frame's stamp by its site's clock; null where nothing was heard since the platform's process began.
    `sources` are platforms below this one that told a part of it.
    """

    level: Level
    name: str
    region: str
    provider_id: UUID | None
    site_id: UUID | None
    verdict: Verdict
    coverage_permille: int | None
    counts: dict[str, int]
    sums: dict[str, SumView]
    temperature_most_millicelsius: int | None
    proven_at: datetime | None
    sampled_at: datetime | None
    sources: tuple[RollUpSourceView, ...] = ()


class RollUpList(WireView):
    """All of a level, as of `taken_at`."""

    taken_at: datetime
    items: tuple[RollUpView, ...]


class RollUpUpdate(RollUpList):
    """A piece of a stream: all of a level, or of it what changed since the piece before."""

    is_whole: bool


class StreamQuery(RollUpQueryInput):
    """Which roll-ups to follow, and after how many events to end; for ever without."""

    events_max: Annotated[int, Field(ge=1, le=STREAM_EVENTS_MAX)] | None = None


class ScrapeQuery(WireInput):
    """What Prometheus reads: roll-ups, of one region if it is named; or with a site what is in it.

    Of a site's devices `limit` are told, from number `start` on; how many were left out is told too.
    """

    region: Region | None = None
    site_id: UUID | None = None
    start: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=SCRAPE_DEVICES_MAX)] = SCRAPE_DEVICES_MAX


class LiveDeviceQuery(WireInput):
    """Which devices of a site: at most `limit`, from number `start` on, of one node or verdict if it is named."""

    site_id: UUID
    node: Annotated[str, Field(max_length=128)] | None = None
    verdict: Verdict | None = None
    start: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=DEVICES_PER_ANSWER_MAX)] = 500


class LiveDeviceView(WireView):
    """One device, live: its values by the names of a sample's fields, without those that are not known."""

    number: int
    hardware_id: str
    node: str
    supernode: str | None
    chip: str
    name: str
    memory_mib: int | None
    verdict: Verdict
    is_cordoned: bool
    proven_at: datetime | None
    values: dict[str, int]


class LiveDeviceList(WireView):
    """`next_start` continues the list, null at its end."""

    taken_at: datetime
    items: tuple[LiveDeviceView, ...]
    next_start: int | None


class FrameCountsView(WireView):
    """What became of a site's frames since the platform's process began."""

    site_id: UUID
    site_name: str
    region: str
    incarnation: str
    inventory_version: int
    outcomes: dict[str, int]
    faults: dict[str, int]
    values_refused: int
    clock_offset_ms: int


class FrameCountsList(WireView):
    """All sites that have told an inventory."""

    items: tuple[FrameCountsView, ...]


class FrameAnswer(WireView):
    """What became of a frame."""

    outcome: FrameOutcome


class InventoryAnswer(WireView):
    """How far the platform knows the site's inventory now."""

    incarnation: str
    version: int
    device_count: int
