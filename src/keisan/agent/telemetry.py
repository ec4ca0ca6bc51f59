"""What a site's devices measure, frame by frame: read at a steady pace, cheap fields each time, dear ones now and then."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from keisan.agent.frame_feed import FrameFeed
from keisan.agent.inventory import InventoryFile
from keisan.devices.base import DeviceDriver, DeviceSample
from keisan.domain.errors import DevicesUnreadable
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, FrameHead, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_warning
from keisan.wire.device import DeviceReport
from keisan.wire.frame import Numbers, Values, encode_frame

Reports = Callable[[], tuple[DeviceReport, ...]]


@dataclass(slots=True)
class FrameWriter:
    """Makes frames of what drivers read. A driver that cannot tell leaves its devices out of the values, not out of the frame.

    `period_s` is how often a frame is due, and every `dear_every`th has the dear fields. A device that was not read has a row
    all the same: its health is unknown, or as its driver reported it.
    """

    drivers: Mapping[str, DeviceDriver]
    inventory: InventoryFile
    clock: Clock
    period_s: float
    dear_every: int = 6
    _count: int = 0
    _sequence: int = 0
    _unreadable: set[str] = field(default_factory=set)

    async def write(self, reports: tuple[DeviceReport, ...]) -> bytes:
        """Return the next frame, of all devices that have a number; raises OSError if a new one's cannot be kept."""
        self.inventory.follow(reports)
        is_dear = self._count % self.dear_every == 0
        self._count += 1
        samples: dict[str, DeviceSample] = {}
        async with asyncio.TaskGroup() as group:
            for name, driver in self.drivers.items():
                group.create_task(self._read(name, driver, samples, is_dear=is_dear))
        sampled_at_ms = to_milliseconds(self.clock.now())
        period_ms = round(self.period_s * 1000)
        # By the clock, so that a restart goes on; and never back with it.
        self._sequence = max(self._sequence + 1, sampled_at_ms // period_ms)
        head = FrameHead(self.inventory.incarnation, self.inventory.version, self._sequence, sampled_at_ms, period_ms)
        return encode_frame(head, *build_values(self.inventory.numbers, reports, samples))

    async def _read(self, name: str, driver: DeviceDriver, samples: dict[str, DeviceSample], *, is_dear: bool) -> None:
        try:
            found = await asyncio.to_thread(driver.read_samples, is_dear=is_dear)
        except DevicesUnreadable as failure:
            if name not in self._unreadable:
                write_warning("samples.unreadable", driver=name, outside=failure.outside, inside=failure.inside)
            self._unreadable.add(name)
            return
        self._unreadable.discard(name)
        for sample in found:
            # What two drivers read of is told by the first that came, as for devices.
            samples.setdefault(sample.hardware_id, sample)


def build_values(
    numbers: Mapping[str, int], reports: tuple[DeviceReport, ...], samples: Mapping[str, DeviceSample]
) -> tuple[Numbers, Values]:
    """Return the numbers of all devices, and their values; whose health is not told is as its report says, or unknown."""
    verdicts = {report.hardware_id: report.verdict for report in reports}
    values = np.full((len(SampleName), len(numbers)), MISSING, np.int32)
    for hardware_id, number in numbers.items():
        sample, verdict = samples.get(hardware_id), verdicts.get(hardware_id, Verdict.UNKNOWN)
        # A device that gave no sample may have failed, and surely is not known to be well.
        if sample is None and verdict is Verdict.OK:
            verdict = Verdict.UNKNOWN
        values[FIELD_INDEX[SampleName.HEALTH], number] = HEALTH_CODES[verdict]
        for name, value in sample.values.items() if sample is not None else ():
            values[FIELD_INDEX[name], number] = value
    return np.arange(len(numbers), dtype=np.uint32), values


async def send_frames(writer: FrameWriter, feed: FrameFeed, list_reports: Reports) -> None:
    """Send a frame each period until cancelled; none while there is no device."""
    clock = writer.clock
    due_s = clock.monotonic_s()
    while True:
        reports = list_reports()
        if reports or writer.inventory.rows:
            try:
                await feed.deliver(await writer.write(reports))
            except OSError as failure:
                write_warning("inventory.not_kept", fault=str(failure))
        # At a steady pace; after a long sleep of the host from now on, not all that was missed at once.
        due_s = max(due_s + writer.period_s, clock.monotonic_s())
        await clock.sleep(due_s - clock.monotonic_s())
