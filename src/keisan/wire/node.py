"""Nodes on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.wire.base import INTEGER_MAX, Count, ForeignText, WireInput, WireView


class NodeReport(WireInput):
    """A host as its agent sees it; `hardware_id` is the machine id, memory in bytes."""

    hardware_id: Annotated[ForeignText, Field(min_length=1, max_length=128)]
    hostname: Annotated[ForeignText, Field(min_length=1, max_length=255)]
    boot_id: Annotated[ForeignText, Field(min_length=1, max_length=64)]
    cpu_count: Annotated[int, Field(ge=1, le=INTEGER_MAX)]
    memory_bytes: Count


class NodeView(WireView):
    """A node as the API shows it."""

    id: UUID
    platform_id: str
    site_id: UUID
    hardware_id: str
    hostname: str
    boot_id: str
    cpu_count: int
    memory_bytes: int
    version: int
    created_at: datetime
    reported_at: datetime
