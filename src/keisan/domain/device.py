"""A device: one accelerator, or the CPU of a node, identified by UUID or serial and never by index."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keisan.domain.ids import DeviceId, NodeId, PlatformId, SiteId
from keisan.domain.verdict import Verdict

# What is no id of the catalogue: the chip of a device that a driver can see and nobody knows.
UNKNOWN_CHIP: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Device:
    """`chip` is the catalogue id of its type; memory is in bytes, as the driver reports it."""

    id: DeviceId
    platform_id: PlatformId
    site_id: SiteId
    node_id: NodeId
    hardware_id: str
    chip: str
    name: str
    memory_bytes: int
    verdict: Verdict
    version: int
    created_at: datetime
    reported_at: datetime
