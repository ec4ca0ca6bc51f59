"""The contracts of devices: a driver finds those of one kind on this node and judges their health; a benchmark works on one."""

from collections.abc import Callable
from typing import Protocol

from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.errors import Failed
from keisan.wire.challenge_proof import Commitment
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
