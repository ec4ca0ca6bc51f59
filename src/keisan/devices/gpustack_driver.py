"""Devices as gpustack-runtime tells of them, where their maker's own command is missing: that one tells more."""

from typing import Final

from keisan.devices.base import DeviceSample
from keisan.devices.tool_driver import ToolDriver
from keisan.devices.tool_run import ToolRunner
from keisan.devices.vendors.gpustack import OWN_COMMANDS
from keisan.domain.errors import DevicesUnreadable
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

_VENDOR_FACT: Final = "vendor"


class GpustackDriver:
    """Devices of makers whose commands this host lacks; `inner` asks the runtime, `runner` looks for commands."""

    def __init__(self, inner: ToolDriver, runner: ToolRunner) -> None:
        self._inner = inner
        self._runner = runner
        self._ids: frozenset[str] = frozenset()
        self._vendors: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The command."""
        return self._inner.name

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        """Return the devices of makers without a command here.

        Raises DevicesUnreadable as any tool does, and when all devices of a maker are gone at once: the runtime leaves out
        makers whose library fails.
        """
        found = tuple(
            device for device in self._inner.read_devices(node) if not self._is_told(device.facts.get(_VENDOR_FACT, ""))
        )
        vendors = frozenset(device.facts.get(_VENDOR_FACT, "") for device in found)
        gone = sorted(vendor for vendor in self._vendors - vendors if not self._is_told(vendor))
        if gone:
            raise DevicesUnreadable(f"{self.name} tells of no device of {', '.join(gone)} any more")
        self._vendors = vendors
        self._ids = frozenset(device.hardware_id for device in found)
        return found

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        """Return what those devices measure; raises DevicesUnreadable as any tool does."""
        if not self._ids:
            return ()
        return tuple(sample for sample in self._inner.read_samples(is_dear=is_dear) if sample.hardware_id in self._ids)

    def _is_told(self, vendor: str) -> bool:
        """Tell whether a command of the maker's own is here."""
        return any(self._runner.find(command) for command in OWN_COMMANDS.get(vendor, ()))
