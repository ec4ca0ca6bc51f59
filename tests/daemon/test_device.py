"""The drivers of a site: its processors, each maker's tool, and what it plays."""

from pathlib import Path

import pytest

from keisan.daemon.device import build_drivers
from keisan.daemon.settings_device import SimulatedSettings
from keisan.devices.recognize import TOOLS
from keisan.domain.errors import SettingsInvalid
from keisan.kit.clock import SystemClock
from keisan.wire.node import NodeReport
from tests.devices.sample_files import install_tool

NODE = NodeReport(hardware_id="n1", hostname="h", boot_id="b", cpu_count=3, memory_bytes=7)
PLAYED = SimulatedSettings(chip="metax-c600", count=2)


def test_each_driver_has_its_own_name() -> None:
    drivers = build_drivers({"PATH": "/nowhere"}, SystemClock(), (PLAYED, PLAYED.model_copy(update={"seed": 1})))
    assert set(drivers) == {
        "cpu",
        "gpustack-runtime",
        *(tool.command for tool in TOOLS),
        "simulated metax-c600 0",
        "simulated metax-c600 1",
    }
    assert all(driver.name == name for name, driver in drivers.items())


def test_chips_are_known_by_the_names_that_the_catalogue_has_for_them(tmp_path: Path) -> None:
    install_tool(tmp_path, "npu-smi")
    drivers = build_drivers({"PATH": f"{tmp_path}:/usr/bin:/bin"}, SystemClock(), ())
    found = {device.chip for driver in drivers.values() for device in driver.read_devices(NODE)}
    assert {"huawei-ascend-910b"} < found


@pytest.mark.parametrize("played", [(SimulatedSettings(chip="no-such"),), (PLAYED, PLAYED)], ids=["no chip", "twice"])
def test_what_cannot_be_played_is_a_fault_of_settings(played: tuple[SimulatedSettings, ...]) -> None:
    with pytest.raises(SettingsInvalid, match="simulated"):
        build_drivers({}, SystemClock(), played)
