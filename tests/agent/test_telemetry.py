"""Frames of what drivers read: every device has its row, silence is told as such, and the pace is kept."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from keisan.agent.frame_feed import FrameFeed
from keisan.agent.inventory import InventoryFile
from keisan.agent.telemetry import FrameWriter, send_frames
from keisan.devices.base import DeviceSample
from keisan.domain.errors import DevicesUnreadable
from keisan.domain.frame import FrameOutcome
from keisan.domain.sample import DEAR_EVERY_MAX, FIELD_INDEX, MISSING, SampleName
from keisan.domain.verdict import Verdict
from keisan.wire.device import DeviceReport
from keisan.wire.frame import decode_frame
from keisan.wire.node import NodeReport
from tests.agent.test_inventory import report
from tests.factories import FixedClock

CLOCK = SampleName.CLOCK_MHZ


class Driver:
    """Tells what it is given, and whether dear fields were asked for."""

    name = "test"

    def __init__(self, values: Mapping[str, Mapping[SampleName, int]]) -> None:
        self.values = values
        self.asked: list[bool] = []
        self.is_readable = True

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        raise AssertionError(node)

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        self.asked.append(is_dear)
        if not self.is_readable:
            raise DevicesUnreadable("the tool hangs")
        return tuple(DeviceSample(hardware_id, values) for hardware_id, values in self.values.items())


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def build_writer(clock: FixedClock, tmp_path: Path, **drivers: Driver) -> FrameWriter:
    return FrameWriter(drivers, InventoryFile(tmp_path / "inventory.json"), clock, period_s=10, dear_every=3)


def read_columns(body: bytes) -> tuple[list[Verdict], list[int | None]]:
    _, numbers, values = decode_frame(body)
    assert numbers.tolist() == list(range(len(numbers)))
    health = [list(Verdict)[code] for code in values[FIELD_INDEX[SampleName.HEALTH]]]
    clocks = [None if value == MISSING else int(value) for value in values[FIELD_INDEX[CLOCK]]]
    return health, clocks


async def test_each_device_has_a_row_whether_it_was_read_or_not(clock: FixedClock, tmp_path: Path) -> None:
    driver = Driver({"a": {CLOCK: 5}, "c": {SampleName.HEALTH: 2}, "stranger": {CLOCK: 1}})
    writer = build_writer(clock, tmp_path, test=driver)
    lost = report("d").model_copy(update={"verdict": Verdict.FAILED})
    health, clocks = read_columns(await writer.write((report("a"), report("b"), report("c"), lost)))
    assert health == [Verdict.OK, Verdict.UNKNOWN, Verdict.FAILED, Verdict.FAILED]
    assert clocks == [5, None, None, None]


async def test_a_driver_that_cannot_tell_makes_unknown_and_not_gone(clock: FixedClock, tmp_path: Path) -> None:
    good, bad = Driver({"a": {CLOCK: 5}}), Driver({"b": {CLOCK: 6}})
    writer = build_writer(clock, tmp_path, good=good, bad=bad)
    reports = (report("a"), report("b"))
    bad.is_readable = False
    assert read_columns(await writer.write(reports)) == ([Verdict.OK, Verdict.UNKNOWN], [5, None])
    bad.is_readable = True
    assert read_columns(await writer.write(reports)) == ([Verdict.OK, Verdict.OK], [5, 6])


async def test_a_device_that_two_drivers_read_has_one_row(clock: FixedClock, tmp_path: Path) -> None:
    writer = build_writer(clock, tmp_path, first=Driver({"a": {CLOCK: 5}}), second=Driver({"a": {CLOCK: 5}}))
    assert read_columns(await writer.write((report("a"),))) == ([Verdict.OK], [5])


async def test_dear_fields_are_read_now_and_then(clock: FixedClock, tmp_path: Path) -> None:
    driver = Driver({"a": {}})
    writer = build_writer(clock, tmp_path, test=driver)
    for _ in range(7):
        await writer.write((report("a"),))
    assert driver.asked == [True, False, False, True, False, False, True]
    # As often as the platform counts on, else they lapse there.
    assert FrameWriter({}, writer.inventory, clock, period_s=10).dear_every <= DEAR_EVERY_MAX


async def test_sequences_follow_the_clock_and_never_go_back(clock: FixedClock, tmp_path: Path) -> None:
    writer = build_writer(clock, tmp_path, test=Driver({"a": {}}))
    sequences = []
    for step_s in (0, 10, -60, 10, 100):
        await clock.sleep(step_s)
        sequences.append(decode_frame(await writer.write((report("a"),)))[0].sequence)
    first = sequences[0]
    assert [sequence - first for sequence in sequences] == [0, 1, 2, 3, 6]
    # A restart goes on with the clock.
    again = build_writer(clock, tmp_path, test=Driver({"a": {}}))
    assert decode_frame(await again.write((report("a"),)))[0].sequence == sequences[-1]


class Link:
    """Takes frames and notes when; ends the test after so many."""

    def __init__(self, clock: FixedClock, most: int) -> None:
        self.clock, self.most = clock, most
        self.at_s: list[float] = []

    async def send_inventory(self, body: bytes) -> None:
        raise AssertionError(body)

    async def send_frame(self, body: bytes) -> FrameOutcome:
        self.at_s.append(self.clock.monotonic_s())
        if len(self.at_s) == self.most:
            raise asyncio.CancelledError
        # Reading and sending take time, and the host sleeps once.
        await self.clock.sleep(65 if len(self.at_s) == 3 else 2)
        return FrameOutcome.LIVE


async def test_the_pace_is_kept_and_what_was_missed_is_not_made_up(clock: FixedClock, tmp_path: Path) -> None:
    writer, link = build_writer(clock, tmp_path, test=Driver({"a": {}})), Link(clock, 6)
    feed = FrameFeed(link, writer.inventory.write)
    waits = iter([(), (), *[(report("a"),)] * 10])
    with pytest.raises(asyncio.CancelledError):
        await send_frames(writer, feed, lambda: next(waits))
    # Nothing is sent before there is a device.
    assert link.at_s == [20, 30, 40, 105, 115, 125]
