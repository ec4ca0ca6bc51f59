"""Nodes on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.limits import SITE_DEVICES_MAX
from keisan.wire.base import INTEGER_MAX, Count, ForeignText, WireInput, WireView
from keisan.wire.device import DeviceReport


class NodeReport(WireInput):
    """A host as its agent sees it; `hardware_id` is the machine id, memory in bytes."""

    hardware_id: Annotated[ForeignText, Field(min_length=1, max_length=128)]
    hostname: Annotated[ForeignText, Field(min_length=1, max_length=255)]
    boot_id: Annotated[ForeignText, Field(min_length=1, max_length=64)]
    cpu_count: Annotated[int, Field(ge=1, le=INTEGER_MAX)]
    memory_bytes: Count


class HostReport(WireInput):
    """What a node's agent tells its site's, each time: the node, and all devices of it. `agent_id` tells two hosts apart."""

    agent_id: UUID
    node: NodeReport
    devices: Annotated[tuple[DeviceReport, ...], Field(max_length=SITE_DEVICES_MAX)]


class HostTaken(WireView):
    """The site's answer: when to tell again, in seconds."""

    next_report_s: float


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
