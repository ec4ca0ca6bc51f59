"""Answers to `--query-gpu=... --format=csv` as several makers' tools give them: a line of names, then a line per device."""

import csv
from typing import Final

from keisan.devices.quantity import clean_text, share_permille, take_kib_per_s, take_mib, take_number
from keisan.devices.tool import DeviceReading, keep_facts, normalize_place
from keisan.domain.sample import SampleName, Throttle
from keisan.domain.verdict import Verdict

# Names that tools have beside the usual ones.
_USUAL: Final = {
    "gpu_name": "name",
    "gpu_uuid": "uuid",
    "gpu_serial": "serial",
    "gpu_bus_id": "pci.bus_id",
    "bus_id": "pci.bus_id",
    "utilization.ppu": "utilization.gpu",
    "temperature.ppu": "temperature.gpu",
    "temperature": "temperature.gpu",
    "gpu.power.draw": "power.draw",
    "board.power.draw": "power.draw",
    "gpu.power.limit": "power.limit",
    "clocks.current.sm": "clocks.sm",
    "clocks.gr": "clocks.sm",
    "clocks.current.memory": "clocks.mem",
    "clocks.current.mem": "clocks.mem",
    "clocks.memory": "clocks.mem",
    "ecc.errors.corrected.aggregate.total": "ecc.corrected",
    "ecc.errors.uncorrected.aggregate.total": "ecc.uncorrected",
    "clocks_event_reasons.active": "clocks_throttle_reasons.active",
    "pcie.throughput.rx": "pcie.rx",
    "pcie.throughput.tx": "pcie.tx",
}
_IDENTITIES: Final = frozenset({"uuid", "serial", "pci.bus_id"})
# Bits of nvmlClocksEventReasons (nvml.h): which of ours each means. Idle and clocks that somebody set are no throttling.
_REASONS: Final = (
    (0x4, Throttle.POWER),
    (0x8, Throttle.HARDWARE),
    (0x20, Throttle.HEAT),
    (0x40, Throttle.HEAT),
    (0x80, Throttle.POWER),
    (0x10, Throttle.OTHER),
)


def read_query(text: str) -> tuple[dict[str, str], ...]:
    """Return a mapping per device from the usual names; empty for a text that has no such form."""
    rows = list(csv.reader(text.strip().splitlines(), skipinitialspace=True))
    if not rows:
        return ()
    names = [cell.partition("[")[0].strip().lower() for cell in rows[0]]
    usual = [_USUAL.get(name, name) for name in names]
    if len(usual) < 2 or not _IDENTITIES & set(usual):  # one column is no table
        return ()
    return tuple(
        {name: cell.strip() for name, cell in zip(usual, row, strict=True)}
        for row in rows[1:]
        if len(row) == len(usual)
    )


def build_reading(row: dict[str, str], vendor: str) -> DeviceReading:
    """Return what one line tells of a device."""
    names = SampleName
    used, total = take_mib(row.get("memory.used")), take_mib(row.get("memory.total"))
    return DeviceReading(
        vendor=vendor,
        name=clean_text(row.get("name")),
        uuid=clean_text(row.get("uuid")),
        serial=clean_text(row.get("serial")),
        place=normalize_place(row.get("pci.bus_id")),
        number=clean_text(row.get("index")),
        memory_mib=total,
        verdict=judge_row(row),
        values={
            names.UTILIZATION_PERMILLE: take_number(row.get("utilization.gpu"), 10),
            names.MEMORY_USED_MIB: used,
            # Not what tools call memory utilization, which is how busy its bus is.
            names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
            names.TEMPERATURE_MILLICELSIUS: take_number(row.get("temperature.gpu"), 1000),
            names.MEMORY_TEMPERATURE_MILLICELSIUS: take_number(row.get("temperature.memory"), 1000),
            names.POWER_MILLIWATTS: take_number(row.get("power.draw"), 1000),
            names.POWER_LIMIT_MILLIWATTS: take_number(row.get("power.limit"), 1000),
            names.CLOCK_MHZ: take_number(row.get("clocks.sm")),
            names.MEMORY_CLOCK_MHZ: take_number(row.get("clocks.mem")),
            names.FAN_PERMILLE: take_number(row.get("fan.speed"), 10),
            names.THROTTLE_FLAGS: decode_reasons(row.get("clocks_throttle_reasons.active")),
            names.HOST_RECEIVE_KIB_PER_S: take_kib_per_s(row.get("pcie.rx")),
            names.HOST_TRANSMIT_KIB_PER_S: take_kib_per_s(row.get("pcie.tx")),
            names.ECC_CORRECTED_COUNT: take_number(row.get("ecc.corrected")),
            names.ECC_UNCORRECTED_COUNT: take_number(row.get("ecc.uncorrected")),
        },
        facts=keep_facts({"driver_version": row.get("driver_version"), "firmware_version": row.get("vbios_version")}),
    )


def judge_row(row: dict[str, str]) -> Verdict | None:
    """Return FAILED for a device that its driver has lost, UNKNOWN where every measure is an error, else None."""
    cells = [cell.strip("[] ").lower() for name, cell in row.items() if name not in _IDENTITIES]
    if any("is lost" in cell for cell in cells):
        return Verdict.FAILED
    return Verdict.UNKNOWN if any(cell == "unknown error" for cell in cells) else None


def decode_reasons(text: object) -> float | None:
    """Return our flags for a mask of reasons as NVIDIA's library counts them, None where there is none."""
    try:
        mask = int(clean_text(text), 16)
    except ValueError:
        return None
    held = {reason for bit, reason in _REASONS if mask & bit}
    return float(encode_throttle(held))


def encode_throttle(held: set[Throttle]) -> int:
    """Return the reasons as THROTTLE_FLAGS holds them: a bit at each one's place among the members of Throttle."""
    return sum(1 << place for place, reason in enumerate(Throttle) if reason in held)
