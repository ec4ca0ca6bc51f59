"""A device: one accelerator, or the CPU of a node, identified by UUID or serial and never by index.

open <-> cordoned <-> draining: people close a device to new work, or clear it, and open it again. Health is another matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from keisan.domain.ids import DeviceId, NodeId, PlatformId, SiteId
from keisan.domain.verdict import Verdict

# What is no id of the catalogue: the chip of a device that a driver can see and nobody knows.
UNKNOWN_CHIP: Final = "unknown"


class DeviceUse(StrEnum):
    """What a device is given: new work, none but what it has, or none, and what it has moves elsewhere."""

    OPEN = "open"
    CORDONED = "cordoned"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Device:
    """`chip` is the catalogue id of its type; memory is in bytes, and `facts` are in the tool's words, as the driver reports.

    `use_actor` decided on its use, for `use_reason`, at `use_changed_at`: None for a device that was never closed.
    """

    id: DeviceId
    platform_id: PlatformId
    site_id: SiteId
    node_id: NodeId
    hardware_id: str
    chip: str
    name: str
    memory_bytes: int
    facts: Mapping[str, str]
    verdict: Verdict
    use: DeviceUse
    use_reason: str
    use_actor: str
    use_changed_at: datetime | None
    version: int
    created_at: datetime
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class DeviceTerms:
    """When a device is suspect: it has failed, or counted more errors that could not be corrected than `uncorrected_max`.

    A suspect one is told of, and with `is_cordoning` closed to new work at once.
    """

    uncorrected_max: int = 0
    is_cordoning: bool = False


def find_suspicion(terms: DeviceTerms, verdict: Verdict, uncorrected_count: int | None) -> str:
    """Return why a device is suspect, empty if it is not; None counts no errors, as they are not known."""
    if verdict is Verdict.FAILED:
        return "it has failed, as its tool says"
    if uncorrected_count is not None and uncorrected_count > terms.uncorrected_max:
        return f"it counted {uncorrected_count} errors that could not be corrected, more than {terms.uncorrected_max}"
    return ""
