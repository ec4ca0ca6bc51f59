"""A sample: what a driver read of one device at one moment. Each field is a whole number, so that sums are exact.

Names follow OpenTelemetry's hw.* where it has one (docs/hardware/gpu.md of semantic-conventions), with the unit last.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keisan.domain.verdict import Verdict

# What stands in a column where a value is not known; no field may be as low.
MISSING: Final = -(2**31)
VALUE_MAX: Final = 2**31 - 1
# At least every so many frames hold the dear fields; a value that is not told again within three times as long is not known.
DEAR_EVERY_MAX: Final = 6


class SampleName(StrEnum):
    """The fields of a sample, in the order of their columns."""

    AGE_MS = "age_ms"
    HEALTH = "health"
    UTILIZATION_PERMILLE = "utilization_permille"
    MEMORY_USED_MIB = "memory_used_mib"
    MEMORY_UTILIZATION_PERMILLE = "memory_utilization_permille"
    POWER_MILLIWATTS = "power_milliwatts"
    POWER_LIMIT_MILLIWATTS = "power_limit_milliwatts"
    ENERGY_KILOJOULES = "energy_kilojoules"
    TEMPERATURE_MILLICELSIUS = "temperature_millicelsius"
    MEMORY_TEMPERATURE_MILLICELSIUS = "memory_temperature_millicelsius"
    CLOCK_MHZ = "clock_mhz"
    MEMORY_CLOCK_MHZ = "memory_clock_mhz"
    FAN_PERMILLE = "fan_permille"
    THROTTLE_FLAGS = "throttle_flags"
    PROCESS_COUNT = "process_count"
    HOST_RECEIVE_KIB_PER_S = "host_receive_kib_per_s"
    HOST_TRANSMIT_KIB_PER_S = "host_transmit_kib_per_s"
    TOKENS_PER_S = "tokens_per_s"
    LINK_UP_COUNT = "link_up_count"
    LINK_RECEIVE_KIB_PER_S = "link_receive_kib_per_s"
    LINK_TRANSMIT_KIB_PER_S = "link_transmit_kib_per_s"
    LINK_ERROR_COUNT = "link_error_count"
    ECC_CORRECTED_COUNT = "ecc_corrected_count"
    ECC_UNCORRECTED_COUNT = "ecc_uncorrected_count"
    RETIRED_PAGE_COUNT = "retired_page_count"


class Throttle(StrEnum):
    """Why a device runs slower than it could; its place among the members is its bit in `throttle_flags`."""

    POWER = "power"
    HEAT = "heat"
    HARDWARE = "hardware"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SampleField:
    """A value below `least` or above `most` is a lie or a fault of the driver: it is not taken, and counted.

    `unit` is UCUM's, as in OpenTelemetry; `is_dear` marks what costs a driver more than a register read (windows of
    profiling, walks over memory banks): it is read less often, and keeps its last value in between.
    """

    name: SampleName
    unit: str
    most: int
    least: int = 0
    is_dear: bool = False


# Bounds are physical ones with room: a 2 MW device, 200 degrees, a link of 2 TiB/s do not exist.
SAMPLE_FIELDS: Final[tuple[SampleField, ...]] = (
    # How long before the frame's stamp this device was read.
    SampleField(SampleName.AGE_MS, "ms", 3_600_000),
    # A verdict's place among the members of Verdict.
    SampleField(SampleName.HEALTH, "{verdict}", len(Verdict) - 1),
    SampleField(SampleName.UTILIZATION_PERMILLE, "1e-3", 1000),
    SampleField(SampleName.MEMORY_USED_MIB, "MiBy", VALUE_MAX),
    SampleField(SampleName.MEMORY_UTILIZATION_PERMILLE, "1e-3", 1000),
    SampleField(SampleName.POWER_MILLIWATTS, "mW", 2_000_000_000),
    SampleField(SampleName.POWER_LIMIT_MILLIWATTS, "mW", 2_000_000_000),
    SampleField(SampleName.ENERGY_KILOJOULES, "kJ", VALUE_MAX),
    SampleField(SampleName.TEMPERATURE_MILLICELSIUS, "mCel", 200_000, -60_000),
    SampleField(SampleName.MEMORY_TEMPERATURE_MILLICELSIUS, "mCel", 200_000, -60_000),
    SampleField(SampleName.CLOCK_MHZ, "MHz", 20_000),
    SampleField(SampleName.MEMORY_CLOCK_MHZ, "MHz", 40_000),
    SampleField(SampleName.FAN_PERMILLE, "1e-3", 1000),
    SampleField(SampleName.THROTTLE_FLAGS, "{flags}", 2 ** len(Throttle) - 1),
    SampleField(SampleName.PROCESS_COUNT, "{process}", 1_000_000),
    SampleField(SampleName.HOST_RECEIVE_KIB_PER_S, "KiBy/s", VALUE_MAX),
    SampleField(SampleName.HOST_TRANSMIT_KIB_PER_S, "KiBy/s", VALUE_MAX),
    # Output tokens of the engine that runs on it, where it tells.
    SampleField(SampleName.TOKENS_PER_S, "{token}/s", 100_000_000),
    # The one tool that tells it takes a process of its own to.
    SampleField(SampleName.LINK_UP_COUNT, "{link}", 4096, is_dear=True),
    SampleField(SampleName.LINK_RECEIVE_KIB_PER_S, "KiBy/s", VALUE_MAX, is_dear=True),
    SampleField(SampleName.LINK_TRANSMIT_KIB_PER_S, "KiBy/s", VALUE_MAX, is_dear=True),
    # Counters since the device was made or reset; they stay at the most they can be.
    SampleField(SampleName.LINK_ERROR_COUNT, "{error}", VALUE_MAX, is_dear=True),
    SampleField(SampleName.ECC_CORRECTED_COUNT, "{error}", VALUE_MAX, is_dear=True),
    SampleField(SampleName.ECC_UNCORRECTED_COUNT, "{error}", VALUE_MAX, is_dear=True),
    SampleField(SampleName.RETIRED_PAGE_COUNT, "{page}", VALUE_MAX, is_dear=True),
)
assert [field.name for field in SAMPLE_FIELDS] == list(SampleName)
FIELD_INDEX: Final = {name: position for position, name in enumerate(SampleName)}
HEALTH_CODES: Final = {verdict: code for code, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What a frame says of itself. `sequence` counts up within an `incarnation` of the site's inventory, mostly by one.

    Device numbers are those of the inventory's `inventory_version` or any later one: a number, once given, is never given to
    another device. `sampled_at_ms` is the site's clock, in ms since 1970; a device's own reading was `age_ms` before it.
    `device_digest` is that of the first `device_count` hardware ids (digest_devices), so that both sides mean the same devices;
    empty from an agent of before it was told.
    """

    incarnation: str
    inventory_version: int
    sequence: int
    sampled_at_ms: int
    period_ms: int
    device_count: int = 0
    device_digest: str = ""
