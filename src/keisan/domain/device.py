"""A device: one accelerator, or the CPU of a node, identified by UUID or serial and never by index.

open <-> cordoned <-> draining: people close a device to new work, or clear it, and open it again. Health is another matter.
Any of them -> retired -> cordoned: one that is gone for good counts no more (docs/decisions/0058).
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

# The fact that marks a device of a node whose agent only tells: the site's executor does not reach it.
REMOTE_FACT: Final = "remote_node"
REMOTE_TEXT: Final = "its node's agent tells what it measures, and starts nothing there"


class DeviceUse(StrEnum):
    """What a device is given: new work, none but what it has, or none, and what it has moves elsewhere.

    One that is retired is given nothing and counts as nothing: it is kept for its history.
    """

    OPEN = "open"
    CORDONED = "cordoned"
    DRAINING = "draining"
    RETIRED = "retired"


# Replicas on a device that is used so move elsewhere.
CLEARED_USES: Final = frozenset({DeviceUse.DRAINING, DeviceUse.RETIRED})


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


def explain_use_refusal(device: Device, use: DeviceUse, replica_count: int) -> str:
    """Return why a device that holds so many replicas cannot be put to a use, empty where it can.

    Silence proves nothing: what is not known to have failed is retired only once it is closed and nothing runs there.
    """
    is_retired = device.use is DeviceUse.RETIRED
    if is_retired and use not in (DeviceUse.RETIRED, DeviceUse.CORDONED):
        return f"device {device.hardware_id} is retired; reinstate it first, which leaves it cordoned"
    if use is not DeviceUse.RETIRED or is_retired or device.verdict is Verdict.FAILED:
        return ""
    if device.use is DeviceUse.OPEN:
        return f"device {device.hardware_id} is {device.verdict} and open to work; only one that failed or is closed is retired"
    if replica_count:
        return (
            f"device {device.hardware_id} still runs {replica_count} replicas; drain it and wait until they have moved"
        )
    return ""


def is_contradicted(before: Device, after: Device) -> bool:
    """Tell whether a report just now says of a retired device that it is there and well."""
    return after.use is DeviceUse.RETIRED and after.verdict is Verdict.OK and before.verdict is not Verdict.OK


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
