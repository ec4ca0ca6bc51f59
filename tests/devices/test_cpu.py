"""The CPU as a device."""

import platform
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from keisan.devices.cpu import CpuDriver, read_cpu_name, read_energy_j
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import SystemClock
from keisan.wire.node import NodeReport

NODE = NodeReport(hardware_id="a1", hostname="h", boot_id="b", cpu_count=3, memory_bytes=7)


@pytest.mark.parametrize(
    ("machine", "chip"),
    [
        ("x86_64", "cpu-x86-64"),
        ("aarch64", "cpu-aarch64"),
        ("arm64", "cpu-aarch64"),
        ("riscv64", "cpu-riscv64"),
        ("", "cpu-unknown"),
    ],
)
def test_one_device_with_the_nodes_memory(machine: str, chip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    (device,) = CpuDriver().read_devices(NODE)
    assert (device.chip, device.hardware_id, device.memory_bytes) == (chip, "cpu-a1", 7)
    assert device.verdict is Verdict.OK
    assert "(3 cores)" in device.name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel\t\t: 85\nmodel name\t: A  CPU\nmodel name\t: B\n", "A CPU"),
        ("processor\t: 0\nModel\t\t: A board\n", "A board"),
        ("processor\t: 0\n", ""),
        ("model name\t: " + "x" * 300, "x" * 200),
    ],
)
def test_name_is_the_kernels(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert read_cpu_name(tmp_path / "cpuinfo") == name


def test_no_name_where_the_kernel_has_none(tmp_path: Path) -> None:
    assert read_cpu_name(tmp_path / "nothing") == ""


def read_values(driver: CpuDriver) -> dict[SampleName, int]:
    (sample,) = driver.read_samples(is_dear=True)
    assert sample.hardware_id == "cpu-a1"
    return dict(sample.values)


def test_nothing_is_measured_of_a_device_that_was_never_found() -> None:
    assert CpuDriver().read_samples(is_dear=True) == ()


def test_the_kernels_counters_become_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=4 * 2**30, available=3 * 2**30))
    monkeypatch.setattr(psutil, "cpu_percent", lambda _: 12.34)
    monkeypatch.setattr(psutil, "cpu_freq", lambda: SimpleNamespace(current=2596.1))
    monkeypatch.setattr(psutil, "pids", lambda: [1, 2, 3])
    sensors = {
        "acpitz": [SimpleNamespace(current=99.0)],
        "coretemp": [SimpleNamespace(current=t) for t in (41.0, 47.5)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: sensors)
    driver = CpuDriver(tmp_path)
    driver.read_devices(NODE)
    assert read_values(driver) == {
        SampleName.HEALTH: 0,
        SampleName.UTILIZATION_PERMILLE: 123,
        SampleName.MEMORY_USED_MIB: 1024,
        SampleName.MEMORY_UTILIZATION_PERMILLE: 250,
        SampleName.TEMPERATURE_MILLICELSIUS: 47_500,
        SampleName.CLOCK_MHZ: 2596,
        SampleName.PROCESS_COUNT: 3,
    }


def test_what_the_host_does_not_show_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_freq", lambda: None)
    monkeypatch.setattr(psutil, "sensors_temperatures", dict)
    driver = CpuDriver(tmp_path / "none")
    driver.read_devices(NODE)
    hidden = {SampleName.CLOCK_MHZ, SampleName.TEMPERATURE_MILLICELSIUS, SampleName.POWER_MILLIWATTS}
    assert not hidden & read_values(driver).keys()


def write_energy(folder: Path, **zones: int | str) -> None:
    for name, microjoules in zones.items():
        zone = folder / name.replace("rapl_", "intel-rapl:").replace("_", ":")
        zone.mkdir(exist_ok=True)
        (zone / "energy_uj").write_text(f"{microjoules}\n")


def test_energy_is_that_of_whole_packages(tmp_path: Path) -> None:
    write_energy(tmp_path, rapl_0=2_500_000, rapl_0_0=2_000_000, rapl_1=500_000)
    assert read_energy_j(tmp_path) == pytest.approx(3.0)
    write_energy(tmp_path, rapl_1="hidden")
    assert read_energy_j(tmp_path) is None
    assert read_energy_j(tmp_path / "none") is None


class EvenClock(SystemClock):
    """Two seconds pass from each look to the next."""

    def __init__(self) -> None:
        self.seen_s = 10.0

    def monotonic_s(self) -> float:
        self.seen_s += 2.0
        return self.seen_s


def test_power_is_the_energy_between_two_readings(tmp_path: Path) -> None:
    driver = CpuDriver(tmp_path, EvenClock())
    driver.read_devices(NODE)
    found = []
    for microjoules in (1_000_000, 201_000_000, 5_000_000, 15_000_000):
        write_energy(tmp_path, rapl_0=microjoules)
        found.append(read_values(driver).get(SampleName.POWER_MILLIWATTS))
    # The third reading is below the second: the counter wrapped.
    assert found == [None, 100_000, None, 5_000]
