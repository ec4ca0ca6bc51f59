"""Series of roll-ups: one column a family, over all regions, providers, sites, supernodes or nodes that are asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from keisan.domain.ids import ProviderId
from keisan.domain.roll_up import CountName, Level, RollUp
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.telemetry.series import (
    LINKS_UP,
    MEMORY_LIMIT,
    MEMORY_USAGE,
    POWER,
    PROCESSES,
    PROVEN,
    TOKENS,
    UTILIZATION,
    VERDICT,
    Attributes,
    Column,
    Family,
    HardwareType,
    Value,
)

MEBIBYTE = 2**20
TYPE_BY_LEVEL = {
    Level.REGION: HardwareType.REGION,
    Level.PROVIDER: HardwareType.PROVIDER,
    Level.SITE: HardwareType.SITE,
    Level.SUPERNODE: HardwareType.SUPERNODE,
    Level.NODE: HardwareType.NODE,
}
DEVICES = Family("keisan.devices", "{device}", "Devices by verdict; their sum is all there are.")
REPORTING = Family("keisan.devices.reporting", "{device}", "Devices read within three of their periods.")
CORDONED = Family("keisan.devices.cordoned", "{device}", "Devices that take no new work.")
THROTTLED = Family("keisan.devices.throttled", "{device}", "Devices that run slower than they could.")
KNOWN = Family("keisan.devices.known", "{device}", "Of how many devices a quantity is known.")
COVERAGE = Family("keisan.coverage", "1", "Share of the devices that report.")
SAMPLED = Family("keisan.sampled.timestamp", "s", "The newest frame's stamp, by its site's clock, since 1970.")
HOTTEST = Family("keisan.temperature.most", "Cel", "Temperature of the hottest device that reports.")
HEAT = Family("keisan.temperature.mean", "Cel", "Mean temperature of the devices that tell it.")
ERRORS = Family("keisan.errors", "{error}", "Errors that the devices that report have counted; falls when one goes.")
CAPACITY = Family("keisan.capacity.operations", "{operation}/s", "What the devices can do, by kind of capacity.")
CAPACITY_DEVICES = Family("keisan.capacity.devices", "{device}", "Of how many devices a kind of capacity is known.")

Read = Callable[[RollUp], Value | None]


@dataclass(frozen=True, slots=True)
class RollUpSeries:
    """How a family's value, under these attributes, is read of a roll-up; None where it is not known."""

    family: Family
    read: Read
    extra: Attributes = field(default_factory=dict)


def _read_count(name: CountName) -> Read:
    return lambda rollup: rollup.counts[name]


def _read_verdict(verdict: Verdict) -> Read:
    return lambda rollup: int(rollup.verdict is verdict)


def _read_total(name: SampleName, scale: int = 1) -> Read:
    """Read a sum, multiplied by `scale`, or divided by a negative one; not known where no device tells."""

    def read(rollup: RollUp) -> Value | None:
        found = rollup.sums[name]
        if not found.devices:
            return None
        return found.total * scale if scale > 0 else found.total / -scale

    return read


def _read_mean(name: SampleName, divisor: int) -> Read:
    def read(rollup: RollUp) -> Value | None:
        found = rollup.sums[name]
        return found.total / (found.devices * divisor) if found.devices else None

    return read


def _read_known(name: SampleName) -> Read:
    return lambda rollup: rollup.sums[name].devices


def _read_capacity(name: CountName, known: CountName) -> Read:
    # Thousands of millions of operations become operations.
    return lambda rollup: rollup.counts[name] * 10**9 if rollup.counts[known] else None


def _read_coverage(rollup: RollUp) -> Value | None:
    devices = rollup.counts[CountName.DEVICES]
    return rollup.counts[CountName.REPORTING] / devices if devices else None


def _read_memory(rollup: RollUp) -> Value | None:
    # A device whose memory is not known adds nothing.
    return rollup.counts[CountName.MEMORY_MIB] * MEBIBYTE or None


def _read_hottest(rollup: RollUp) -> Value | None:
    found = rollup.temperature_most_millicelsius
    return None if found is None else found / 1000


QUANTITIES = {
    "utilization": SampleName.UTILIZATION_PERMILLE,
    "memory": SampleName.MEMORY_USED_MIB,
    "power": SampleName.POWER_MILLIWATTS,
    "temperature": SampleName.TEMPERATURE_MILLICELSIUS,
    "tokens": SampleName.TOKENS_PER_S,
}
_COUNT_BY_VERDICT = {
    Verdict.OK: CountName.OK,
    Verdict.UNKNOWN: CountName.UNKNOWN,
    Verdict.FAILED: CountName.FAILED,
}
_ERRORS = {
    "corrected": SampleName.ECC_CORRECTED_COUNT,
    "uncorrected": SampleName.ECC_UNCORRECTED_COUNT,
    "link": SampleName.LINK_ERROR_COUNT,
}
_CAPACITIES = {
    "nominal": (CountName.NOMINAL_GFLOPS, CountName.NOMINAL_DEVICES),
    "schedulable": (CountName.SCHEDULABLE_GFLOPS, CountName.NOMINAL_DEVICES),
    "measured": (CountName.MEASURED_GFLOPS, CountName.MEASURED_DEVICES),
}
ROLL_UP_SERIES: tuple[RollUpSeries, ...] = (
    *(RollUpSeries(VERDICT, _read_verdict(verdict), {"verdict": verdict}) for verdict in Verdict),
    RollUpSeries(PROVEN, lambda rollup: rollup.proven_at.timestamp() if rollup.proven_at else None),
    RollUpSeries(SAMPLED, lambda rollup: rollup.sampled_at.timestamp() if rollup.sampled_at else None),
    *(RollUpSeries(DEVICES, _read_count(name), {"verdict": verdict}) for verdict, name in _COUNT_BY_VERDICT.items()),
    RollUpSeries(REPORTING, _read_count(CountName.REPORTING)),
    RollUpSeries(CORDONED, _read_count(CountName.CORDONED)),
    RollUpSeries(THROTTLED, _read_count(CountName.THROTTLED)),
    *(RollUpSeries(KNOWN, _read_known(name), {"quantity": quantity}) for quantity, name in QUANTITIES.items()),
    RollUpSeries(COVERAGE, _read_coverage),
    RollUpSeries(UTILIZATION, _read_mean(SampleName.UTILIZATION_PERMILLE, 1000)),
    RollUpSeries(MEMORY_USAGE, _read_total(SampleName.MEMORY_USED_MIB, MEBIBYTE)),
    RollUpSeries(MEMORY_LIMIT, _read_memory),
    RollUpSeries(POWER, _read_total(SampleName.POWER_MILLIWATTS, -1000)),
    RollUpSeries(HOTTEST, _read_hottest),
    RollUpSeries(HEAT, _read_mean(SampleName.TEMPERATURE_MILLICELSIUS, 1000)),
    RollUpSeries(TOKENS, _read_total(SampleName.TOKENS_PER_S)),
    RollUpSeries(PROCESSES, _read_total(SampleName.PROCESS_COUNT)),
    RollUpSeries(LINKS_UP, _read_total(SampleName.LINK_UP_COUNT)),
    *(RollUpSeries(ERRORS, _read_total(name), {"error.type": what}) for what, name in _ERRORS.items()),
    *(RollUpSeries(CAPACITY, _read_capacity(*names), {"kind": kind}) for kind, names in _CAPACITIES.items()),
    *(
        RollUpSeries(CAPACITY_DEVICES, _read_count(known), {"kind": kind})
        for kind, (_, known) in _CAPACITIES.items()
        if kind != "schedulable"
    ),
)


def describe_owner(rollup: RollUp, parent: str, providers: Mapping[ProviderId, str]) -> Attributes:
    """Return whose series a roll-up's are; `parent` is the id of what it is in.

    A provider that has no name in `providers` is named by its id.
    """
    provider_id = rollup.provider_id
    owner_id = {Level.SITE: str(rollup.site_id), Level.PROVIDER: str(provider_id)}.get(rollup.level, rollup.name)
    found = {
        "hw.id": owner_id,
        "hw.type": str(TYPE_BY_LEVEL[rollup.level]),
        "hw.parent": parent,
        "region": rollup.region,
        "provider": providers.get(provider_id, str(provider_id)) if provider_id else "",
        "site": rollup.name if rollup.level is Level.SITE else "",
    }
    return {name: text for name, text in found.items() if text}


def list_rollup_columns(rollups: Sequence[RollUp], first: int = 0) -> Iterator[Column]:
    """Yield the series of roll-ups, whose owners are the places from `first` on."""
    for series in ROLL_UP_SERIES:
        read = [(first + place, series.read(rollup)) for place, rollup in enumerate(rollups)]
        known = [(place, value) for place, value in read if value is not None]
        if known:
            owners, values = zip(*known, strict=True)
            yield Column(series.family, owners, values, series.extra)
