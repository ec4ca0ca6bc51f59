"""Devices on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.limits import DEVICE_FACT_CHARACTERS_MAX, DEVICE_FACT_NAME_CHARACTERS_MAX, DEVICE_FACTS_MAX
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


class DeviceView(WireView):
    """A device as the API shows it."""

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
    version: int
    created_at: datetime
    reported_at: datetime
