"""The contract of a device driver: it finds the devices of one kind on this node, and reads what they measure.

Drivers are asked from threads of their own: devices and samples may be read at once, neither of them twice at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from keisan.domain.sample import SampleName
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

# However slow a tool is, its driver gives up by then, with DevicesUnreadable.
READ_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class DeviceSample:
    """What was read of one device now: values within the bounds of SAMPLE_FIELDS; what is not known is left out.

    AGE_MS is never among them: when it was read is known by who asked.
    """

    hardware_id: str
    values: Mapping[SampleName, int]


class DeviceDriver(Protocol):
    """Reads devices of one kind. Blocking, and done within READ_S_MAX."""

    @property
    def name(self) -> str:
        """What kind of devices it reads; one name per driver of a site."""
        ...

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        """Return the devices of this kind on this host, none when there are surely none.

        Hardware ids are UUIDs or serials, the same after each restart and unique worldwide, never an index, and the order
        in which a tool lists its devices means nothing. Memory is in bytes. `chip` is the catalogue id of the device's type,
        UNKNOWN_CHIP with the raw facts for a device that nobody knows. Nothing here changes from second to second.
        Raises DevicesUnreadable when it cannot tell: whoever asked keeps what it knew, as unknown.
        """
        ...

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        """Return what the devices measure now; those that gave nothing are left out.

        Fields that are dear to read (SampleField.is_dear) are left out unless `is_dear`. Raises DevicesUnreadable when
        nothing could be read at all.
        """
        ...
