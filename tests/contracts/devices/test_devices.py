"""The contract of device drivers, run on each."""

from collections.abc import Callable

import pytest

from keisan.catalog.base import load_chips
from keisan.devices.base import DeviceDriver
from keisan.devices.cpu import CpuDriver
from keisan.devices.node import read_node


@pytest.fixture(params=[CpuDriver], ids=["cpu"])
def driver(request: pytest.FixtureRequest) -> DeviceDriver:
    build: Callable[[], DeviceDriver] = request.param
    return build()


def test_devices_belong_to_the_node_and_are_the_same_each_time(driver: DeviceDriver) -> None:
    node = read_node("made")
    devices = driver.read_devices(node)
    assert all(device.node_hardware_id == node.hardware_id for device in devices)
    assert len({device.hardware_id for device in devices}) == len(devices)
    assert driver.read_devices(node) == devices


def test_chips_are_in_the_catalogue(driver: DeviceDriver) -> None:
    known = {chip.id for chip in load_chips()}
    assert {device.chip for device in driver.read_devices(read_node("made"))} <= known
