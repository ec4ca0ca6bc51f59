"""The contract of a device driver: it finds the devices of one kind on this node and judges their health."""

from typing import Protocol

from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport


class DeviceDriver(Protocol):
    """Reads devices of one kind. Blocking, and done within a second."""

    @property
    def name(self) -> str:
        """What kind of devices it reads."""
        ...

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        """Return the devices of this kind on this host, none when there are none.

        Hardware ids are UUIDs or serials, the same after each restart and unique worldwide, never an index. Memory is
        in bytes. `chip` is the catalogue id of the device's type.
        """
        ...
