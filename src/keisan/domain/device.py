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
    """When a device is suspect: it has failed, or counted more errors than these that could not be corrected, or of its links.

    Links repeat what was lost: a sound one has a few errors in its life. A suspect device is told of, and with
    `is_cordoning` closed to new work at once.
    """

    uncorrected_max: int = 0
    is_cordoning: bool = False
    link_errors_max: int = 1000


@dataclass(frozen=True, slots=True)
class DeviceErrors:
    """What a device's counters tell of it since it was made or reset; None where that is not known."""

    uncorrected_count: int | None = None
    link_count: int | None = None


def find_suspicion(terms: DeviceTerms, verdict: Verdict, errors: DeviceErrors) -> str:
    """Return why a device is suspect, empty if it is not; errors that are not known are none."""
    if verdict is Verdict.FAILED:
        return "it has failed, as its tool says"
    uncorrected_count, link_count = errors.uncorrected_count, errors.link_count
    if uncorrected_count is not None and uncorrected_count > terms.uncorrected_max:
        return f"it counted {uncorrected_count} errors that could not be corrected, more than {terms.uncorrected_max}"
    if link_count is not None and link_count > terms.link_errors_max:
        return f"its links counted {link_count} errors, more than {terms.link_errors_max}"
    return ""
