"""What a site's devices measure, frame by frame: read at a steady pace, cheap fields each time, dear ones now and then.

Reading and sending are two tasks: a platform that is slow holds no reading up, a driver that hangs no frame.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Protocol

import numpy as np

from keisan.agent.driver_thread import DriverThread, Reading
from keisan.agent.frame_desk import FrameDesk, FrameDraft
from keisan.agent.frame_feed import FrameFeed
from keisan.agent.inventory import InventoryFile, InventoryRow
from keisan.devices.base import READ_S_MAX, DeviceDriver, DeviceSample
from keisan.domain.errors import DevicesUnreadable
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, SAMPLE_FIELDS, VALUE_MAX, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_log, write_warning
from keisan.kit.retry import Backoff
from keisan.wire.device import DeviceReport
from keisan.wire.frame import Values

Reports = Callable[[], tuple[DeviceReport, ...]]
Samples = tuple[DeviceSample, ...]
# What is this young is fresh: a column of ages would be a twentieth of a frame.
AGE_TOLD_MS_MIN = 100
# While the platform shuts its door it is not knocked at with every frame.
CLOSED_BACKOFF = Backoff(first_s=10.0, most_s=60.0)


class NodeSource(Protocol):
    """What other nodes of the site told; `rows` are the site's devices in the order of their numbers."""

    def fill(self, values: Values, rows: Sequence[InventoryRow], now_s: float) -> None:
        """Write what was told since the last time into a site's values; a device of another node that told nothing has none."""
        ...

    def take_late(self, rows: Sequence[InventoryRow]) -> tuple[FrameDraft, ...]:
        """Return what was told too late for that."""
        ...


@dataclass(slots=True)
class DriverSampler:
    """One driver's readings. `is_slow` says that the last one was not done in time: nobody waits for the next.

    What it brings after the frame that it was begun for goes into the next frame, with its age.
    """

    name: str
    driver: DeviceDriver
    thread: DriverThread[Samples]
    is_slow: bool = False
    _is_dear_due: bool = False
    _late: Reading[Samples] | None = None
    _is_unreadable: bool = False

    def begin(self, *, is_dear: bool, wait_s: float) -> None:
        """Begin a reading, unless an earlier one is still under way; dear fields wait for the next in that case."""
        self._is_dear_due |= is_dear
        self._late = self.thread.take()
        if self.thread.is_busy:
            self.is_slow = True
            return
        if self._late is not None:
            self.is_slow = self._late.done_s - self._late.begun_s > wait_s
        is_dear, self._is_dear_due = self._is_dear_due, False
        self.thread.begin(lambda: check_samples(self.driver.read_samples(is_dear=is_dear)))

    def collect(self) -> tuple[Samples, float] | None:
        """Return what was read and as of when, monotonic; None if the driver cannot tell, which is logged once."""
        reading = self.thread.take()
        self.is_slow = reading is None
        reading = reading or self._late
        self._late = None
        if reading is None:
            self._tell_failure(DevicesUnreadable(f"the driver has not answered for {self.thread.busy_s:.0f} s"))
            return None
        try:
            found = reading.take()
        except DevicesUnreadable as failure:
            self._tell_failure(failure)
            return None
        if self._is_unreadable:
            write_log("samples.readable", driver=self.name)
        self._is_unreadable = False
        # What was read in time is as of its end; of what came late nobody knows when it was measured, at the earliest at once.
        return found, reading.begun_s if self.is_slow else reading.done_s

    def _tell_failure(self, failure: DevicesUnreadable) -> None:
        if not self._is_unreadable:
            write_warning("samples.unreadable", driver=self.name, outside=failure.outside, inside=failure.inside)
        self._is_unreadable = True


def check_samples(samples: Samples) -> Samples:
    """Return samples as they are; raises ValueError for what no column can hold: a driver that breaks its contract is unread."""
    for sample in samples:
        for name, value in sample.values.items():
            if name not in FIELD_INDEX or not MISSING <= value <= VALUE_MAX:
                raise ValueError(f"expected a field's whole number, got {name} {value!r}")
    return tuple(samples)


@dataclass(slots=True)
class FrameWriter:
    """Makes frames of what drivers read. A driver that cannot tell leaves its devices out of the values, not out of the frame.

    `period_s` is how often a frame is due, and every `dear_every`th has the dear fields. A device that was not read has a row
    all the same: its health is unknown, or as its driver reported it. Drivers are waited for during `wait_s`, half a period if
    it is None. What devices of other nodes measure comes from `nodes`.
    """

    drivers: Mapping[str, DeviceDriver]
    inventory: InventoryFile
    clock: Clock
    period_s: float
    dear_every: int = 6
    wait_s: float | None = None
    nodes: NodeSource | None = None
    _count: int = 0
    _samplers: list[DriverSampler] = field(init=False)

    def __post_init__(self) -> None:
        self._samplers = [
            DriverSampler(name, driver, DriverThread(self.clock)) for name, driver in self.drivers.items()
        ]

    async def read(self, reports: tuple[DeviceReport, ...]) -> FrameDraft:
        """Return the next frame, of all devices that have a number; it has no head yet."""
        self.inventory.follow(reports)
        is_dear = self._count % self.dear_every == 0
        self._count += 1
        await self._read_drivers(is_dear=is_dear)
        now_s, now = self.clock.monotonic_s(), self.clock.now()
        samples: dict[str, DeviceSample] = {}
        for sampler in self._samplers:
            collected = sampler.collect()
            for sample in () if collected is None else _tell_age(collected[0], now_s - collected[1]):
                # What two drivers read of is told by the first of them, as for devices.
                samples.setdefault(sample.hardware_id, sample)
        values = build_values(self.inventory.numbers, reports, samples)
        if self.nodes is None:
            return FrameDraft(values, to_milliseconds(now), self.period_ms)
        self.nodes.fill(values, self.inventory.rows, now_s)
        return FrameDraft(values, to_milliseconds(now), self.period_ms, is_sparse=True)

    def take_late(self) -> tuple[FrameDraft, ...]:
        """Return what other nodes measured earlier and could not tell in time, once, the oldest first."""
        return () if self.nodes is None else self.nodes.take_late(self.inventory.rows)

    @property
    def period_ms(self) -> int:
        """The period in ms."""
        return round(self.period_s * 1000)

    async def _read_drivers(self, *, is_dear: bool) -> None:
        wait_s = min(READ_S_MAX, self.period_s / 2) if self.wait_s is None else self.wait_s
        for sampler in self._samplers:
            sampler.begin(is_dear=is_dear, wait_s=wait_s)
        async with asyncio.TaskGroup() as group:
            for sampler in self._samplers:
                group.create_task(sampler.thread.wait(0 if sampler.is_slow else wait_s))


def _tell_age(samples: Samples, age_s: float) -> Iterable[DeviceSample]:
    age_ms = min(round(age_s * 1000), SAMPLE_FIELDS[FIELD_INDEX[SampleName.AGE_MS]].most)
    if age_ms < AGE_TOLD_MS_MIN:
        return samples
    return [DeviceSample(each.hardware_id, {**each.values, SampleName.AGE_MS: age_ms}) for each in samples]


def build_values(
    numbers: Mapping[str, int], reports: tuple[DeviceReport, ...], samples: Mapping[str, DeviceSample]
) -> Values:
    """Return the values of all devices that have a number; whose health is not told is as its report says, or unknown."""
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
    return values


@dataclass(slots=True)
class FrameRun:
    """Reads and sends, each in its own task. Between them there is room for the newest frame; those before are held back."""

    writer: FrameWriter
    desk: FrameDesk
    feed: FrameFeed
    closed_backoff: Backoff = CLOSED_BACKOFF
    random: Random = field(default_factory=SystemRandom)
    _newest: asyncio.Queue[FrameDraft] = field(default_factory=lambda: asyncio.Queue(maxsize=1))

    async def run(self, list_reports: Reports) -> None:
        """Read and send until cancelled; what was not sent by then is held back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.read(list_reports))
                group.create_task(self.send())
        finally:
            self._hold_newest()

    async def read(self, list_reports: Reports) -> None:
        """Make a frame each period until cancelled; none while there is no device."""
        clock, period_s = self.writer.clock, self.writer.period_s
        due_s = clock.monotonic_s()
        while True:
            if clock.monotonic_s() - due_s >= period_s:
                # After a long sleep of the host from now on, not all that was missed at once.
                due_s = clock.monotonic_s()
            reports = list_reports()
            if reports or self.writer.inventory.rows:
                self._hand_over(await self.writer.read(reports))
            due_s += period_s
            await clock.sleep(max(0.0, due_s - clock.monotonic_s()))

    async def send(self) -> None:
        """Send the newest frame whenever there is one, until cancelled."""
        while True:
            newest = await self._newest.get()
            # Numbered before the newest and sent after it, so that the platform takes them as late.
            for late in self.writer.take_late():
                for frame in self.desk.write(late):
                    self.feed.hold(frame)
            frames = self.desk.write(newest)
            try:
                await self.feed.deliver(*frames, has_newer=self._newest.full)
            except asyncio.CancelledError:
                # Whether they arrived is not known; a second time changes nothing.
                for frame in frames:
                    self.feed.hold(frame)
                raise
            if self.feed.closed_count:
                await self.writer.clock.sleep(self.closed_backoff.compute_wait_s(self.feed.closed_count, self.random))

    def _hand_over(self, draft: FrameDraft) -> None:
        self._hold_newest()
        self._newest.put_nowait(draft)

    def _hold_newest(self) -> None:
        if self._newest.full():
            for frame in self.desk.write(self._newest.get_nowait()):
                self.feed.hold(frame)
