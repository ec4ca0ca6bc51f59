"""The CPU as a device."""

import platform
from pathlib import Path

import pytest

from keisan.devices.cpu import CpuDriver, read_cpu_name
from keisan.domain.verdict import Verdict
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
