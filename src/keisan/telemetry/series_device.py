"""Series of single devices: columns of a site, copied at one moment, scaled to base units where a value is known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SampleName, Throttle
from keisan.domain.verdict import Verdict
from keisan.telemetry.live_site import LiveSite, Moment
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
    SeriesKind,
)
from keisan.telemetry.series_roll_up import MEBIBYTE
from keisan.telemetry.site_columns import NEVER_MS, Codes, Flags
from keisan.wire.frame import Values
from keisan.wire.inventory import Inventory

STATE = Family(
    "hw.status", "1", "1 for the state that holds (ok or failed), 0 for the other.", SeriesKind.UP_DOWN_COUNTER
)
CORDONED = Family("keisan.cordoned", "{flag}", "1 if the device takes no new work.")
MEMORY_UTILIZATION = Family("hw.gpu.memory.utilization", "1", "Fraction of the memory in use.")
MEMORY_BUSY = Family("keisan.memory.busy", "1", "Fraction of the time in which memory was read or written.")
POWER_LIMIT = Family("keisan.power.limit", "W", "The most power that the device may draw.")
ENERGY = Family("hw.energy", "J", "Energy that the device has used.", SeriesKind.COUNTER)
TEMPERATURE = Family("hw.temperature", "Cel", "Temperature of the die or of the memory.")
CLOCK = Family("keisan.clock", "Hz", "Clock of the core or of the memory.")
FAN = Family("hw.fan.speed_ratio", "1", "Fan speed as a fraction of its maximum.")
THROTTLED = Family("keisan.throttled", "{flag}", "1 for each reason why the device runs slower than it could.")
IO = Family("keisan.io", "By/s", "What goes over the link to the host, or over the scale-up domain's.")
ERRORS = Family("hw.errors", "{error}", "Errors that the device has counted.", SeriesKind.COUNTER)
RETIRED_PAGES = Family(
    "keisan.pages.retired", "{page}", "Pages of memory that are out of use.", SeriesKind.UP_DOWN_COUNTER
)
LEFT_OUT = Family("keisan.devices.left_out", "{device}", "Devices of the site that this answer does not hold.")


@dataclass(frozen=True, slots=True)
class DeviceSeries:
    """A field of samples as series: multiplied by `scale`, or divided by a negative one."""

    family: Family
    name: SampleName
    scale: int = 1
    extra: Attributes = field(default_factory=dict)


def _describe_receive(link: str) -> Attributes:
    return {"link": link, "network.io.direction": "receive"}


def _describe_transmit(link: str) -> Attributes:
    return {"link": link, "network.io.direction": "transmit"}


DEVICE_SERIES = (
    DeviceSeries(UTILIZATION, SampleName.UTILIZATION_PERMILLE, -1000),
    DeviceSeries(MEMORY_USAGE, SampleName.MEMORY_USED_MIB, MEBIBYTE),
    DeviceSeries(MEMORY_BUSY, SampleName.MEMORY_UTILIZATION_PERMILLE, -1000),
    DeviceSeries(POWER, SampleName.POWER_MILLIWATTS, -1000),
    DeviceSeries(POWER_LIMIT, SampleName.POWER_LIMIT_MILLIWATTS, -1000),
    DeviceSeries(ENERGY, SampleName.ENERGY_KILOJOULES, 1000),
    DeviceSeries(TEMPERATURE, SampleName.TEMPERATURE_MILLICELSIUS, -1000, {"hw.sensor_location": "die"}),
    DeviceSeries(TEMPERATURE, SampleName.MEMORY_TEMPERATURE_MILLICELSIUS, -1000, {"hw.sensor_location": "memory"}),
    DeviceSeries(CLOCK, SampleName.CLOCK_MHZ, 10**6, {"clock": "core"}),
    DeviceSeries(CLOCK, SampleName.MEMORY_CLOCK_MHZ, 10**6, {"clock": "memory"}),
    DeviceSeries(FAN, SampleName.FAN_PERMILLE, -1000),
    DeviceSeries(PROCESSES, SampleName.PROCESS_COUNT),
    DeviceSeries(IO, SampleName.HOST_RECEIVE_KIB_PER_S, 1024, _describe_receive("host")),
    DeviceSeries(IO, SampleName.HOST_TRANSMIT_KIB_PER_S, 1024, _describe_transmit("host")),
    DeviceSeries(IO, SampleName.LINK_RECEIVE_KIB_PER_S, 1024, _describe_receive("scale_up")),
    DeviceSeries(IO, SampleName.LINK_TRANSMIT_KIB_PER_S, 1024, _describe_transmit("scale_up")),
    DeviceSeries(LINKS_UP, SampleName.LINK_UP_COUNT),
    DeviceSeries(TOKENS, SampleName.TOKENS_PER_S),
    DeviceSeries(ERRORS, SampleName.ECC_CORRECTED_COUNT, 1, {"error.type": "corrected"}),
    DeviceSeries(ERRORS, SampleName.ECC_UNCORRECTED_COUNT, 1, {"error.type": "uncorrected"}),
    DeviceSeries(ERRORS, SampleName.LINK_ERROR_COUNT, 1, {"error.type": "link"}),
    DeviceSeries(RETIRED_PAGES, SampleName.RETIRED_PAGE_COUNT),
)
# All families that a site's devices have, in the order in which they are told.
DEVICE_FAMILIES = tuple(
    dict.fromkeys(
        (
            VERDICT,
            STATE,
            PROVEN,
            CORDONED,
            MEMORY_LIMIT,
            MEMORY_UTILIZATION,
            THROTTLED,
            *(series.family for series in DEVICE_SERIES),
            LEFT_OUT,
        )
    )
)


@dataclass(frozen=True, slots=True)
class DeviceView:
    """Some devices of a site as they were at `taken`, copied, so that another thread may read them. One place a device.

    `left_out` is how many more the site has; `reporting` are those heard within three periods: of others nothing is known.
    """

    taken: Moment
    inventory: Inventory
    numbers: npt.NDArray[np.intp]
    values: Values
    verdicts: Codes
    proven_ms: npt.NDArray[np.int64]
    is_cordoned: Flags
    reporting: Flags
    left_out: int


def capture_devices(site: LiveSite, taken: Moment, start: int, limit: int) -> DeviceView:
    """Copy up to `limit` devices of a site that are not retired, from number `start` on."""
    columns, inventory = site.columns, site.columns.inventory
    active = np.flatnonzero(~columns.is_retired)
    numbers = active[active >= start][:limit]
    reporting, _ = columns.find_reporting(taken.monotonic_ms)
    return DeviceView(
        taken=taken,
        inventory=inventory,
        numbers=numbers,
        values=columns.values[:, numbers],
        verdicts=site.verdicts[numbers],
        proven_ms=columns.proven_ms[numbers],
        is_cordoned=columns.is_cordoned[numbers],
        reporting=reporting[numbers],
        left_out=len(active) - len(numbers),
    )


def describe_devices(
    view: DeviceView, place: Attributes, kinds: Mapping[str, str], vendors: Mapping[str, str]
) -> Sequence[Attributes]:
    """Return whose series each device's are; `kinds` and `vendors` are of the chips that the catalogue knows."""
    inventory, head = view.inventory, view.inventory.head
    of_chips = [
        {
            "hw.type": str(HardwareType.CPU if kinds.get(chip) == "cpu" else HardwareType.GPU),
            "hw.vendor": vendors.get(chip, ""),
            "chip": chip,
            **place,
        }
        for chip in head.chips
    ]
    described = []
    for number, hardware_id in zip(
        view.numbers.tolist(), inventory.hardware_ids.take(view.numbers).to_pylist(), strict=True
    ):
        found = {
            "hw.id": hardware_id,
            "hw.parent": head.nodes[inventory.node[number]],
            "hw.model": head.names[inventory.name[number]],
            **of_chips[inventory.chip[number]],
        }
        described.append({name: text for name, text in found.items() if text})
    return described


def list_device_columns(view: DeviceView, first: int = 0) -> Iterator[Column]:
    """Yield the series of devices, whose owners are the places from `first` on, families together."""
    everywhere = np.ones(len(view.numbers), np.bool_)
    for verdict, code in HEALTH_CODES.items():
        yield _build(VERDICT, first, everywhere, (view.verdicts == code).astype(int), {"verdict": verdict})
    is_judged = view.verdicts != HEALTH_CODES[Verdict.UNKNOWN]
    for verdict in (Verdict.OK, Verdict.FAILED):
        states = (view.verdicts == HEALTH_CODES[verdict]).astype(int)
        yield _build(STATE, first, is_judged, states, {"hw.state": verdict})
    proven = (view.taken.wall_ms - view.taken.monotonic_ms + view.proven_ms) / 1000
    yield _build(PROVEN, first, view.proven_ms != NEVER_MS, proven)
    yield _build(CORDONED, first, everywhere, view.is_cordoned.astype(int))
    yield from _list_memory(view, first)
    yield from _list_throttled(view, first)
    for series in DEVICE_SERIES:
        found = view.values[FIELD_INDEX[series.name]].astype(np.int64)
        values = found * series.scale if series.scale > 0 else found / -series.scale
        yield _build(series.family, first, _find_known(view, series.name), values, series.extra)


def _list_memory(view: DeviceView, first: int) -> Iterator[Column]:
    memory_mib = view.inventory.memory_mib[view.numbers].astype(np.int64)
    has_memory = memory_mib > 0
    yield _build(MEMORY_LIMIT, first, has_memory, memory_mib * MEBIBYTE)
    used = view.values[FIELD_INDEX[SampleName.MEMORY_USED_MIB]] / np.maximum(memory_mib, 1)
    yield _build(MEMORY_UTILIZATION, first, has_memory & _find_known(view, SampleName.MEMORY_USED_MIB), used)


def _list_throttled(view: DeviceView, first: int) -> Iterator[Column]:
    flags = view.values[FIELD_INDEX[SampleName.THROTTLE_FLAGS]]
    for bit, reason in enumerate(Throttle):
        is_known = _find_known(view, SampleName.THROTTLE_FLAGS)
        yield _build(THROTTLED, first, is_known, (flags >> bit) & 1, {"reason": reason})


def _find_known(view: DeviceView, name: SampleName) -> Flags:
    known: Flags = view.reporting & (view.values[FIELD_INDEX[name]] != MISSING)
    return known


def _build(
    family: Family, first: int, is_known: Flags, values: npt.NDArray[np.generic], extra: Attributes | None = None
) -> Column:
    places = np.flatnonzero(is_known)
    return Column(family, (places + first).tolist(), values[places].tolist(), extra or {})
