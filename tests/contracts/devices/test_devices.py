"""The contract of device drivers, run on each: processors, every maker's tool, and what is played of every maker."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from keisan.catalog.base import load_chips
from keisan.devices.base import DeviceDriver
from keisan.devices.cpu import CpuDriver
from keisan.devices.node import read_node
from keisan.devices.recognize import TOOLS
from keisan.devices.simulated import SimulatedDriver, SimulatedPlan
from keisan.devices.simulated_sampler import FaultRates
from keisan.devices.tool_driver import ToolDriver
from keisan.devices.tool_run import LocalRunner
from keisan.devices.vendors import gpustack
from keisan.domain.chip import find_chip, list_names
from keisan.domain.device import UNKNOWN_CHIP
from keisan.domain.sample import SAMPLE_FIELDS, SampleName
from keisan.kit.clock import SystemClock
from tests.devices.sample_files import ANSWERS, MAKERS, install_tool

CHIPS = {chip.id: chip for chip in load_chips()}
FIELDS = {field.name: field for field in SAMPLE_FIELDS}
# What is played of each maker; the prefix is that of its chips' ids.
PLAYED: Mapping[str, str] = {
    "nvidia": "nvidia-h20",
    "amd": "amd-mi300x",
    "ascend": "huawei-ascend-910c",
    "cambricon": "cambricon-mlu590",
    "metax": "metax-c600",
    "hygon": "hygon-k100-ai",
    "iluvatar": "iluvatar-bi-v150",
    "mthreads": "moore-threads-s5000",
    "thead": "t-head-zhenwu-810e",
    "kunlunxin": "kunlunxin-p800",
    "enflame": "enflame-s60",
    "biren": "biren-106",
}
Build = Callable[[Path], DeviceDriver]


def build_tool(command: str, folder: Path) -> DeviceDriver:
    install_tool(folder, command)
    (tool,) = (tool for tool in (*TOOLS, gpustack.TOOL) if tool.command == command)
    find = partial(find_chip, list_names(CHIPS.values()))
    runner = LocalRunner({"PATH": f"{folder}:/usr/bin:/bin"}, SystemClock())
    return ToolDriver(tool, runner, find, SystemClock())


def build_played(chip: str, _folder: Path) -> DeviceDriver:
    chances = FaultRates(failure=0.1, loss=0.1, link=0.1, corrected=0.1)
    return SimulatedDriver(SimulatedPlan(CHIPS[chip], 5, seed=1, chances=chances), SystemClock())


def build_cpu(_folder: Path) -> DeviceDriver:
    return CpuDriver()


BUILDS: Mapping[str, Build] = {
    "cpu": build_cpu,
    **{command: partial(build_tool, command) for command in ANSWERS},
    **{f"played {maker}": partial(build_played, chip) for maker, chip in PLAYED.items()},
}


@pytest.fixture(params=BUILDS, name="driver")
def build_driver(request: pytest.FixtureRequest, tmp_path: Path) -> DeviceDriver:
    return BUILDS[request.param](tmp_path)


def test_devices_belong_to_the_node_and_are_the_same_each_time(driver: DeviceDriver) -> None:
    node = read_node("made")
    devices = driver.read_devices(node)
    assert devices
    assert all(device.node_hardware_id == node.hardware_id for device in devices)
    assert len({device.hardware_id for device in devices}) == len(devices)
    assert driver.read_devices(node) == devices


def test_chips_are_in_the_catalogue_or_unknown(driver: DeviceDriver) -> None:
    assert {device.chip for device in driver.read_devices(read_node("made"))} <= {*CHIPS, UNKNOWN_CHIP}


def test_nothing_is_measured_of_what_was_never_listed(driver: DeviceDriver) -> None:
    listed = {device.hardware_id for device in driver.read_devices(read_node("made"))}
    for is_dear in (False, True):
        assert {sample.hardware_id for sample in driver.read_samples(is_dear=is_dear)} <= listed


def test_values_are_within_their_bounds_and_dear_ones_come_when_asked_for(driver: DeviceDriver) -> None:
    driver.read_devices(read_node("made"))
    for is_dear in (False, True, False):
        for sample in driver.read_samples(is_dear=is_dear):
            assert SampleName.AGE_MS not in sample.values
            for name, value in sample.values.items():
                assert FIELDS[name].least <= value <= FIELDS[name].most, name
                assert is_dear or not FIELDS[name].is_dear, name


def test_samples_before_devices_are_none_or_of_them(driver: DeviceDriver) -> None:
    early = {sample.hardware_id for sample in driver.read_samples(is_dear=True)}
    assert early <= {device.hardware_id for device in driver.read_devices(read_node("made"))}


@pytest.mark.parametrize("maker", MAKERS)
def test_devices_of_all_twelve_makers_are_detected_by_their_tools(maker: str, tmp_path: Path) -> None:
    assert len(MAKERS) == 12
    devices = build_tool(MAKERS[maker], tmp_path).read_devices(read_node("made"))
    assert devices
    for device in devices:
        assert device.facts["vendor"] == maker
        assert device.chip != UNKNOWN_CHIP, device.name
        assert device.chip.startswith(PLAYED[maker].partition("-")[0])
    assert any(device.memory_bytes > 0 for device in devices)


@pytest.mark.parametrize("maker", MAKERS)
def test_devices_of_all_twelve_makers_can_be_played(maker: str, tmp_path: Path) -> None:
    driver = build_played(PLAYED[maker], tmp_path)
    devices = driver.read_devices(read_node("made"))
    assert {device.chip for device in devices} == {PLAYED[maker]}
    assert all("simulated" in device.name and device.facts["simulated"] == "yes" for device in devices)
    assert all(device.hardware_id.startswith("simulated-") for device in devices)
    assert driver.read_samples(is_dear=True)
