"""Devices on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.verdict import Verdict
from keisan.wire.base import Count, ForeignText, WireInput, WireView


class DeviceReport(WireInput):
    """A device as its driver reports it; `hardware_id` is its UUID or serial, never an index."""

    hardware_id: Annotated[ForeignText, Field(min_length=1, max_length=128)]
    node_hardware_id: Annotated[ForeignText, Field(min_length=1, max_length=128)]
    chip: Annotated[ForeignText, Field(min_length=1, max_length=64)]
    name: Annotated[ForeignText, Field(max_length=256)]
    memory_bytes: Count
    verdict: Verdict


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
    version: int
    created_at: datetime
    reported_at: datetime
