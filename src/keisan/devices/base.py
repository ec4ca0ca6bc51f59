"""The contracts of devices: a driver finds those of one kind on this node and reads what they measure; a benchmark works on one.

Drivers are asked from threads of their own: devices and samples may be read at once, neither of them twice at once. One that
hangs, or raises what its contract does not name, is unread: its devices are unknown, and it is asked again when it has answered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.errors import Failed
from keisan.domain.sample import SampleName
from keisan.wire.challenge_proof import Commitment
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

# However slow a tool is, its driver gives up by then, with DevicesUnreadable.
READ_S_MAX = 10.0
# One that does not even do that hangs, and nobody waits for it any longer.
DRIVER_WAIT_S = READ_S_MAX + 2.0


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


class Benchmark(Protocol):
    """Does the work of challenges on devices that it can compute on. Blocking, and used from several threads at once."""

    @property
    def name(self) -> str:
        """By what it computes."""
        ...

    def can_run(self, device: DeviceReport, workload: Workload) -> bool:
        """Tell whether it can do such work on this device."""
        ...

    def run(self, device: DeviceReport, work: ChallengeWork, is_wanted: Callable[[], bool]) -> Commitment:
        """Do the work and return the commitment to its result, which is held in memory until that is dropped.

        Raises Failed when the device cannot do it after all, for example for want of memory, and soon after `is_wanted` has
        returned False: it is asked between products and passes.
        """
        ...


def check_wanted(is_wanted: Callable[[], bool]) -> None:
    """Raise Failed if a challenge's work is not wanted any more."""
    if not is_wanted():
        raise Failed("the challenge's time is over")
