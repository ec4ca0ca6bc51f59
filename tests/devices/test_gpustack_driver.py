"""The runtime tells of makers whose own command is missing, and is not believed that a maker's devices all went."""

from pathlib import Path

import pytest

from keisan.devices.gpustack_driver import GpustackDriver
from keisan.devices.tool_driver import ToolDriver
from keisan.devices.tool_run import LocalRunner
from keisan.devices.vendors import gpustack
from keisan.domain.errors import DevicesUnreadable
from keisan.kit.clock import SystemClock
from keisan.wire.node import NodeReport
from tests.devices.sample_files import install_script, install_tool

NODE = NodeReport(hardware_id="n1", hostname="h", boot_id="b", cpu_count=3, memory_bytes=7)
CARD = "GPU-513536b6-7d19-9063-b049-1e69664bb298"
NPU = "ascend-1A2B3C4D-20200A01-0F1E2D3C-4B5A6978-00000001"
NONE = (("*", "gpustack/none.txt"),)


def build_driver(folder: Path) -> GpustackDriver:
    clock = SystemClock()
    runner = LocalRunner({"PATH": f"{folder}:/usr/bin:/bin"}, clock)
    chips: dict[str, str] = {}
    return GpustackDriver(ToolDriver(gpustack.TOOL, runner, chips.get, clock), runner)


def list_ids(driver: GpustackDriver) -> list[str]:
    return [device.hardware_id for device in driver.read_devices(NODE)]


def list_sampled(driver: GpustackDriver) -> list[str]:
    return [sample.hardware_id for sample in driver.read_samples(is_dear=True)]


def test_devices_are_those_of_makers_without_a_command(tmp_path: Path) -> None:
    install_tool(tmp_path, "gpustack-runtime")
    driver = build_driver(tmp_path)
    assert list_ids(driver) == list_sampled(driver) == [CARD, NPU]
    install_script(tmp_path, "nvidia-smi", "exit 9\n")
    assert list_ids(driver) == list_sampled(driver) == [NPU]


def test_no_device_is_none_until_there_were_some(tmp_path: Path) -> None:
    driver = build_driver(tmp_path)
    assert list_ids(driver) == list_sampled(driver) == []
    install_tool(tmp_path, "gpustack-runtime", NONE)
    assert list_ids(driver) == list_sampled(driver) == []
    install_tool(tmp_path, "gpustack-runtime")
    assert list_ids(driver) == [CARD, NPU]
    install_tool(tmp_path, "gpustack-runtime", NONE)
    with pytest.raises(DevicesUnreadable):
        driver.read_devices(NODE)
