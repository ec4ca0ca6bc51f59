"""The CPU as a device: one per node, what a model runs on where there is no accelerator."""

import platform
from pathlib import Path

import psutil

from keisan.devices.base import DeviceSample
from keisan.devices.reading import encode_health, keep_values
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock, SystemClock
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

CPU_FACTS_PATH = Path("/proc/cpuinfo")
POWERCAP_PATH = Path("/sys/class/powercap")
SYSTEM_CLOCK = SystemClock()
CHIP_BY_ARCHITECTURE = {"x86_64": "cpu-x86-64", "amd64": "cpu-x86-64", "aarch64": "cpu-aarch64", "arm64": "cpu-aarch64"}
# /proc/cpuinfo names the model under "model name" on x86-64 and under "Model" on some aarch64 boards, else nowhere.
_NAME_FIELDS = ("model name", "model")
# Names that the kernel's drivers give to the sensor of a processor's package: Intel, AMD, ARM boards.
_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal")
_JOULES_PER_MICROJOULE = 1e-6


class CpuDriver:
    """The processors of this host, taken as one device with the host's memory."""

    name = "cpu"

    def __init__(self, powercap_path: Path = POWERCAP_PATH, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._powercap_path = powercap_path
        self._hardware_id: str | None = None
        self._energy: tuple[float, float] | None = None
        # psutil measures from the last call on: the first one has nothing to measure from.
        psutil.cpu_percent(None)

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        """Return the one CPU device; its hardware id is the node's, so it is as stable as that."""
        architecture = platform.machine().lower()
        self._hardware_id = f"cpu-{node.hardware_id}"
        device = DeviceReport(
            hardware_id=self._hardware_id,
            node_hardware_id=node.hardware_id,
            chip=CHIP_BY_ARCHITECTURE.get(architecture, f"cpu-{architecture.replace('_', '-') or 'unknown'}"),
            name=f"{read_cpu_name() or architecture} ({node.cpu_count} cores)",
            memory_bytes=node.memory_bytes,
            verdict=Verdict.OK,
        )
        return (device,)

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        """Return what the kernel counts of the processors; nothing before the device has been read once."""
        if self._hardware_id is None:
            return ()
        memory = psutil.virtual_memory()
        used_bytes = memory.total - memory.available
        energy_j = read_energy_j(self._powercap_path)
        found = {
            SampleName.HEALTH: float(encode_health(Verdict.OK)),
            SampleName.UTILIZATION_PERMILLE: psutil.cpu_percent(None) * 10,
            SampleName.MEMORY_USED_MIB: used_bytes / 2**20,
            SampleName.MEMORY_UTILIZATION_PERMILLE: used_bytes * 1000 / memory.total,
            SampleName.TEMPERATURE_MILLICELSIUS: read_temperature(),
            SampleName.CLOCK_MHZ: read_clock_mhz(),
            SampleName.POWER_MILLIWATTS: self._measure_power(energy_j),
            SampleName.ENERGY_KILOJOULES: None if energy_j is None else energy_j / 1000,
            SampleName.PROCESS_COUNT: float(len(psutil.pids())),
        }
        return (DeviceSample(self._hardware_id, keep_values(found, is_dear=is_dear)),)

    def _measure_power(self, energy_j: float | None) -> float | None:
        """Return the mean power in mW since the last reading, None where the counter is missing or has wrapped."""
        now_s = self._clock.monotonic_s()
        before, self._energy = self._energy, None if energy_j is None else (energy_j, now_s)
        if before is None or energy_j is None or energy_j < before[0] or now_s <= before[1]:
            return None
        return (energy_j - before[0]) * 1000 / (now_s - before[1])


def read_temperature() -> float | None:
    """Return the hottest processor sensor in thousandths of a degree Celsius, None where the host shows none."""
    sensors = psutil.sensors_temperatures()
    readings = [entry.current for name in _SENSORS for entry in sensors.get(name, ())]
    return max(readings) * 1000 if readings else None


def read_clock_mhz() -> float | None:
    """Return the processors' present clock, None where the kernel does not tell it."""
    # psutil's stubs do not say that it is None where the kernel tells nothing, as in small virtual machines.
    current = getattr(psutil.cpu_freq(), "current", 0.0)
    return float(current) or None


def read_energy_j(path: Path = POWERCAP_PATH) -> float | None:
    """Return the joules that all packages have counted, None where this process may not read them.

    The kernel shows a package as intel-rapl:N, on AMD too, and its parts one colon deeper.
    """
    counted = [_read_number(zone / "energy_uj") for zone in path.glob("intel-rapl:*") if zone.name.count(":") == 1]
    known = [number for number in counted if number is not None]
    return sum(known) * _JOULES_PER_MICROJOULE if known and len(known) == len(counted) else None


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def read_cpu_name(path: Path = CPU_FACTS_PATH) -> str:
    """Return the processor's name as the kernel tells it, at most 200 characters, empty where it does not."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        field, _, text = line.partition(":")
        if field.strip().lower() in _NAME_FIELDS and not text.strip().isdigit():
            return " ".join(text.split())[:200]
    return ""
