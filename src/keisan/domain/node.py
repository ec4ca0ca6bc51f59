"""A node: one host of a site."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.ids import NodeId, PlatformId, SiteId


@dataclass(frozen=True, slots=True)
class Node:
    """`hardware_id` is the host's machine id, unique within its site; `boot_id` changes with each boot."""

    id: NodeId
    platform_id: PlatformId
    site_id: SiteId
    hardware_id: str
    hostname: str
    boot_id: str
    cpu_count: int
    memory_bytes: int
    version: int
    created_at: datetime
    reported_at: datetime
