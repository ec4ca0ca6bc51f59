"""A roll-up: sums over the devices of a node, supernode, site or region, or of all, as of one second.

Everything in it is a whole number, so that sums of sums are those of the devices. What is not known is in no sum, and a
count beside each sum says of how many devices it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import PlatformId, ProviderId, SiteId
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
class RollUpSource:
    """What of a roll-up another platform told: how many devices, its verdict, and when that platform was heard last.

    `is_heard` says that this is short enough ago; what came from one that is not heard counts as unknown.
    """

    platform_id: PlatformId
    platform_name: str
    verdict: Verdict
    device_count: int
    is_heard: bool
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class RollUp:
    """`name` is a region's code, a node's hardware id, a supernode's or site's name; the platform's is empty.

    `temperature_most_millicelsius` is that of the hottest device that reports. `proven_at` is when the last of its devices
    was heard, `sampled_at` that sample's own stamp by its site's clock; None where none has been heard since this process began.
    `sources` are the other platforms that told a part of it; the rest are sites of this one.
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
    sources: tuple[RollUpSource, ...] = ()


# What is counted whether anybody is heard or not: it is what inventories and the catalogue say.
_LASTING_COUNTS = frozenset(
    {
        CountName.DEVICES,
        CountName.CORDONED,
        CountName.MEMORY_MIB,
        CountName.NOMINAL_GFLOPS,
        CountName.NOMINAL_DEVICES,
        CountName.MEASURED_GFLOPS,
        CountName.MEASURED_DEVICES,
    }
)


def silence_rollup(rollup: RollUp) -> RollUp:
    """Return what is left of a roll-up whose teller is not heard any more: its devices are there, and all of them unknown."""
    counts = {name: found if name in _LASTING_COUNTS else 0 for name, found in rollup.counts.items()}
    counts[CountName.UNKNOWN] = counts[CountName.DEVICES]
    return replace(
        rollup,
        verdict=Verdict.UNKNOWN,
        counts=counts,
        sums=dict.fromkeys(rollup.sums, FieldSum(0, 0)),
        temperature_most_millicelsius=None,
    )


def merge_rollups(parts: Sequence[RollUp], level: Level, name: str) -> RollUp:
    """Return the sums of some roll-ups, at least one, as that of a region, or of the whole platform, whose name is empty."""
    counts = {each: sum(part.counts[each] for part in parts) for each in CountName}
    heat = [part.temperature_most_millicelsius for part in parts if part.temperature_most_millicelsius is not None]
    return RollUp(
        level=level,
        name=name,
        region=name,
        provider_id=None,
        site_id=None,
        verdict=judge_group(counts[CountName.OK], counts[CountName.FAILED], counts[CountName.REPORTING]),
        counts=counts,
        sums={each: _add_sums([part.sums[each] for part in parts]) for each in SUMMED_FIELDS},
        temperature_most_millicelsius=max(heat, default=None),
        proven_at=max((part.proven_at for part in parts if part.proven_at is not None), default=None),
        sampled_at=max((part.sampled_at for part in parts if part.sampled_at is not None), default=None),
        sources=tuple(source for part in parts for source in part.sources),
    )


def _add_sums(sums: Sequence[FieldSum]) -> FieldSum:
    return FieldSum(sum(each.total for each in sums), sum(each.devices for each in sums))


def judge_group(reporting_ok: int, reporting_failed: int, reporting: int) -> Verdict:
    """Return the verdict on what has devices: unknown if none reports, failed if those that do have all failed, else ok."""
    if reporting == 0:
        return Verdict.UNKNOWN
    if reporting_failed == reporting:
        return Verdict.FAILED
    return Verdict.OK if reporting_ok else Verdict.UNKNOWN
