"""Questions to history, and its answers, on the wire. All values are whole numbers in the units of a sample's fields."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.errors import InvalidInput
from keisan.domain.history import Tier
from keisan.domain.history_question import FIELDS_DEFAULT, HistoryGroup
from keisan.domain.sample import SampleName
from keisan.wire.base import Region, WireInput, WireView

Text = Annotated[str, Field(min_length=1, max_length=256)]


class HistoryFormat(StrEnum):
    """As what rows come: JSON, or an Arrow stream whose schema's metadata holds the rest under `keisan`."""

    JSON = "json"
    ARROW = "arrow"


class HistoryQuery(WireInput):
    """What to ask. Without `since` it is the last hour; `step_s` 0 asks for samples as they are, of devices only.

    `fields` are names of a sample's fields with commas between them. `node` and `device` are hardware ids.
    """

    fields: Annotated[str, Field(max_length=1000)] = ",".join(FIELDS_DEFAULT)
    by: HistoryGroup = HistoryGroup.REGION
    since: datetime | None = None
    until: datetime | None = None
    step_s: Annotated[int, Field(ge=0, le=366 * 24 * 3600)] | None = None
    region: Region | None = None
    site_id: UUID | None = None
    node: Text | None = None
    device: Text | None = None
    supernode: Text | None = None
    format: HistoryFormat = HistoryFormat.JSON


class HistoryHead(WireView):
    """What rows are of. Steps are whole: `since` and `until` may be wider than was asked. `step_s` is 0 for samples.

    `coverage_permille` is the share of the time of `device_count` devices that samples stand for, null where only some devices
    of the sites are asked for; `reached_at` is the newest sample's stamp and `age_ms` its age, null without any.
    """

    since: datetime
    until: datetime
    step_s: int
    tier: Tier
    device_count: int
    coverage_permille: int | None
    reached_at: datetime | None
    age_ms: int | None
    taken_at: datetime
    site_names: Mapping[UUID, str]


Cell = int | str | None


class HistoryRows(HistoryHead):
    """Rows in order of time and group. `at_ms` is a step's begin, or a sample's stamp, in ms since 1970 (UTC)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def parse_fields(text: str) -> tuple[SampleName, ...]:
    """Return the fields that a query names, each once; raises InvalidInput."""
    words = text.split(",")
    if len(set(words)) < len(words):
        raise InvalidInput("expected each field once", "fields")
    try:
        return tuple(SampleName(word) for word in words)
    except ValueError as fault:
        known = ", ".join(SampleName)
        raise InvalidInput(f"expected names out of {known}, with commas between them", "fields") from fault
