"""A roll-up: sums over the devices of a node, supernode, site or region, or of all, as of one second.

Everything in it is a whole number, so that sums of sums are those of the devices. What is not known is in no sum, and a
count beside each sum says of how many devices it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict


class Level(StrEnum):
    """What devices are summed by, from the whole to the parts."""

    PLATFORM = "platform"
    REGION = "region"
    PROVIDER = "provider"
    SITE = "site"
    SUPERNODE = "supernode"
    NODE = "node"


class CountName(StrEnum):
    """What is added up beside fields of samples; memory in MiB, rates in 10^9 operations a second.

    `reporting` devices have been read within three periods; ok, unknown and failed are their verdicts. `nominal` is what
    the catalogue says of their chips, `measured` what challenges found, each with the count of those of which it is known.
    """

    DEVICES = "devices"
    REPORTING = "reporting"
    OK = "ok"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CORDONED = "cordoned"
    THROTTLED = "throttled"
    MEMORY_MIB = "memory_mib"
    NOMINAL_GFLOPS = "nominal_gflops"
    NOMINAL_DEVICES = "nominal_devices"
    SCHEDULABLE_GFLOPS = "schedulable_gflops"
    MEASURED_GFLOPS = "measured_gflops"
    MEASURED_DEVICES = "measured_devices"


# Fields of samples whose sums mean something, over the devices that report.
SUMMED_FIELDS = (
    SampleName.UTILIZATION_PERMILLE,
    SampleName.MEMORY_USED_MIB,
    SampleName.POWER_MILLIWATTS,
    SampleName.TEMPERATURE_MILLICELSIUS,
    SampleName.TOKENS_PER_S,
    SampleName.PROCESS_COUNT,
    SampleName.LINK_UP_COUNT,
    SampleName.LINK_ERROR_COUNT,
    SampleName.ECC_CORRECTED_COUNT,
    SampleName.ECC_UNCORRECTED_COUNT,
)


@dataclass(frozen=True, slots=True)
class FieldSum:
    """The sum of a field over `devices` devices, those that told it."""

    total: int
    devices: int


@dataclass(frozen=True, slots=True)
class RollUp:
    """`name` is a region's code, a node's hardware id, a supernode's or site's name; the platform's is empty.

    `temperature_most_millicelsius` is that of the hottest device that reports. `proven_at` is when the last of its devices
    was heard, `sampled_at` that sample's own stamp by its site's clock; None where none has been heard since this process began.
    """

    level: Level
    name: str
    region: str
    provider_id: ProviderId | None
    site_id: SiteId | None
    verdict: Verdict
    counts: Mapping[CountName, int]
    sums: Mapping[SampleName, FieldSum]
    temperature_most_millicelsius: int | None
    proven_at: datetime | None
    sampled_at: datetime | None


def judge_group(reporting_ok: int, reporting_failed: int, reporting: int) -> Verdict:
    """Return the verdict on what has devices: unknown if none reports, failed if those that do have all failed, else ok."""
    if reporting == 0:
        return Verdict.UNKNOWN
    if reporting_failed == reporting:
        return Verdict.FAILED
    return Verdict.OK if reporting_ok else Verdict.UNKNOWN
