"""Names the device drivers that a site has: its processors, every maker's tool, and what it is to play."""

import os
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from keisan.catalog.base import load_chips
from keisan.daemon.settings_device import SimulatedSettings
from keisan.devices.base import DeviceDriver
from keisan.devices.cpu import CpuDriver
from keisan.devices.gpustack_driver import GpustackDriver
from keisan.devices.recognize import TOOLS
from keisan.devices.simulated import SimulatedDriver, SimulatedPlan
from keisan.devices.tool_driver import ChipFinder, ToolDriver
from keisan.devices.tool_run import LocalRunner
from keisan.devices.vendors import gpustack
from keisan.domain.chip import find_chip, list_names
from keisan.domain.errors import SettingsInvalid
from keisan.kit.clock import Clock


def build_drivers(
    environment: Mapping[str, str], clock: Clock, simulated: Iterable[SimulatedSettings], table: str = "site"
) -> dict[str, DeviceDriver]:
    """Return the drivers by name; tools get `environment`, `table` is the settings'. One whose tool this host lacks finds no device.

    Raises SettingsInvalid for a chip to play that the catalogue does not have, or the same devices twice.
    """
    chips = {chip.id: chip for chip in load_chips()}
    find = partial(find_chip, list_names(chips.values()))
    drivers: dict[str, DeviceDriver] = {"cpu": CpuDriver(clock=clock)}
    for tool in TOOLS:
        # A runner for each: that a tool hangs is no matter of the others'.
        drivers[tool.command] = ToolDriver(tool, LocalRunner(environment, clock), find, clock)
    listed = _build_gpustack(environment, find, clock)
    drivers[listed.name] = listed
    for own in simulated:
        if own.chip not in chips:
            raise SettingsInvalid(f"{table}.simulated: expected a chip of the catalogue, got '{own.chip}'")
        plan = SimulatedPlan(chips[own.chip], own.count, own.seed, own.faults, own.faults_after_s)
        driver = SimulatedDriver(plan, clock)
        if driver.name in drivers:
            raise SettingsInvalid(f"{table}.simulated: expected another seed where '{own.chip}' is played again")
        drivers[driver.name] = driver
    return drivers


def _build_gpustack(environment: Mapping[str, str], find: ChipFinder, clock: Clock) -> GpustackDriver:
    """Return the driver of gpustack-runtime, which the extra `devices` puts beside this interpreter."""
    beside = os.pathsep.join(filter(None, (environment.get("PATH"), str(Path(sys.executable).parent))))
    runner = LocalRunner({**environment, "PATH": beside}, clock)
    return GpustackDriver(ToolDriver(gpustack.TOOL, runner, find, clock), runner)
