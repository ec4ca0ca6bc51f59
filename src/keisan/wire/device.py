"""Devices on the wire."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from keisan.domain.device import DeviceUse
from keisan.domain.limits import (
    DEVICE_FACT_CHARACTERS_MAX,
    DEVICE_FACT_NAME_CHARACTERS_MAX,
    DEVICE_FACTS_MAX,
    DEVICE_USE_REASON_CHARACTERS_MAX,
)
from keisan.domain.verdict import Verdict
from keisan.wire.base import Count, ForeignText, WireInput, WireView

FactKey = Annotated[ForeignText, Field(min_length=1, max_length=DEVICE_FACT_NAME_CHARACTERS_MAX)]
FactText = Annotated[ForeignText, Field(max_length=DEVICE_FACT_CHARACTERS_MAX)]


class DeviceReport(WireInput):
    """A device as its driver reports it; `hardware_id` is its UUID or serial, never an index.

    `facts` are the tool's own words for what stands still: versions, places, and all there is of a device nobody knows.
    """

    hardware_id: Annotated[ForeignText, Field(min_length=1, max_length=128)]
    node_hardware_id: Annotated[ForeignText, Field(min_length=1, max_length=128)]
    chip: Annotated[ForeignText, Field(min_length=1, max_length=64)]
    name: Annotated[ForeignText, Field(max_length=256)]
    memory_bytes: Count
    verdict: Verdict
    facts: Annotated[dict[FactKey, FactText], Field(max_length=DEVICE_FACTS_MAX)] = {}


class DeviceUpdate(WireInput):
    """What a device is to be used for, and why, which only opening it may leave out; needs If-Match."""

    use: DeviceUse
    reason: Annotated[str, Field(max_length=DEVICE_USE_REASON_CHARACTERS_MAX)] = ""

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if self.use is not DeviceUse.OPEN and not self.reason.strip():
            raise ValueError("expected a reason for closing a device")
        return self


class DeviceView(WireView):
    """A device as the API shows it; `use_actor` decided on its use at `use_changed_at`, null if nobody ever did."""

    id: UUID
    platform_id: str
    site_id: UUID
    node_id: UUID
    hardware_id: str
    chip: str
    name: str
    memory_bytes: int
    verdict: Verdict
    facts: dict[str, str] = {}
    use: DeviceUse = DeviceUse.OPEN
    use_reason: str = ""
    use_actor: str = ""
    use_changed_at: datetime | None = None
    version: int
    created_at: datetime
    reported_at: datetime
