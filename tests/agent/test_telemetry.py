"""Frames of what drivers read: every device has its row, silence is told as such, and neither drivers nor the platform hold it up."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from keisan.agent.backlog import FrameBacklog
from keisan.agent.frame_desk import FrameDesk, FrameDraft
from keisan.agent.frame_feed import FrameFeed
from keisan.agent.frame_number import FrameNumbers
from keisan.agent.inventory import InventoryFile
from keisan.agent.telemetry import FrameRun, FrameWriter
from keisan.devices.base import DeviceSample
from keisan.domain.errors import DevicesUnreadable, Unauthenticated
from keisan.domain.frame import FrameOutcome
from keisan.domain.sample import DEAR_EVERY_MAX, FIELD_INDEX, MISSING, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock, SystemClock
from keisan.wire.device import DeviceReport
from keisan.wire.frame import decode_frame
from keisan.wire.node import NodeReport
from tests.agent.live_platform import LivePlatform
from tests.agent.site_fakes import SetClock
from tests.agent.test_inventory import report
from tests.deadline import wait_until_async
from tests.factories import FixedClock

CLOCK = SampleName.CLOCK_MHZ


class Driver:
    """Tells what it is given, and whether dear fields were asked for; does first what it is told to do."""

    name = "test"

    def __init__(self, values: Mapping[str, Mapping[SampleName, int]]) -> None:
        self.values = values
        self.asked: list[bool] = []
        self.act: Callable[[], object] = lambda: None

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        raise AssertionError(node)

    def read_samples(self, *, is_dear: bool) -> tuple[DeviceSample, ...]:
        self.asked.append(is_dear)
        self.act()
        return tuple(DeviceSample(hardware_id, values) for hardware_id, values in self.values.items())


def fail(failure: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise failure

    return act


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def build_writer(clock: FixedClock, tmp_path: Path, **drivers: Driver) -> FrameWriter:
    return FrameWriter(drivers, InventoryFile(tmp_path / "inventory.json"), clock, period_s=10, dear_every=3)


def read_columns(draft: FrameDraft) -> tuple[list[Verdict], list[int | None]]:
    health = [list(Verdict)[code] for code in draft.values[FIELD_INDEX[SampleName.HEALTH]]]
    return health, [None if value == MISSING else int(value) for value in draft.values[FIELD_INDEX[CLOCK]]]


def read_ages(draft: FrameDraft) -> list[int | None]:
    return [None if value == MISSING else int(value) for value in draft.values[FIELD_INDEX[SampleName.AGE_MS]]]


async def test_each_device_has_a_row_whether_it_was_read_or_not(clock: FixedClock, tmp_path: Path) -> None:
    driver = Driver({"a": {CLOCK: 5}, "c": {SampleName.HEALTH: 2}, "stranger": {CLOCK: 1}})
    writer = build_writer(clock, tmp_path, test=driver)
    lost = report("d").model_copy(update={"verdict": Verdict.FAILED})
    draft = await writer.read((report("a"), report("b"), report("c"), lost))
    health, clocks = read_columns(draft)
    assert health == [Verdict.OK, Verdict.UNKNOWN, Verdict.FAILED, Verdict.FAILED]
    assert clocks == [5, None, None, None]
    # What is fresh needs no age.
    assert read_ages(draft) == [None] * 4


@pytest.mark.parametrize(
    "failure",
    [DevicesUnreadable("the tool hangs"), ZeroDivisionError(), OSError(5, "I/O error"), SystemExit(1), MemoryError()],
    ids=repr,
)
async def test_a_driver_that_cannot_tell_makes_unknown_and_not_gone(
    clock: FixedClock, tmp_path: Path, failure: BaseException
) -> None:
    good, bad = Driver({"a": {CLOCK: 5}}), Driver({"b": {CLOCK: 6}})
    writer = build_writer(clock, tmp_path, good=good, bad=bad)
    reports = (report("a"), report("b"))
    bad.act = fail(failure)
    assert read_columns(await writer.read(reports)) == ([Verdict.OK, Verdict.UNKNOWN], [5, None])
    bad.act = lambda: None
    assert read_columns(await writer.read(reports)) == ([Verdict.OK, Verdict.OK], [5, 6])


@pytest.mark.parametrize("values", [{CLOCK: 2**31}, {CLOCK: None}, {"no field": 1}, None], ids=repr)
async def test_what_no_column_can_hold_is_the_driver_s_failure(
    clock: FixedClock, tmp_path: Path, values: object
) -> None:
    good, bad = Driver({"a": {CLOCK: 5}}), Driver({"b": values})  # type: ignore[dict-item]  # it breaks its contract
    writer = build_writer(clock, tmp_path, good=good, bad=bad)
    reports = (report("a"), report("b"))
    assert read_columns(await writer.read(reports)) == ([Verdict.OK, Verdict.UNKNOWN], [5, None])


async def test_a_driver_that_hangs_is_waited_for_once_and_its_late_reading_has_its_age(
    clock: FixedClock, tmp_path: Path
) -> None:
    free = threading.Event()
    good, bad = Driver({"a": {CLOCK: 5}}), Driver({"b": {CLOCK: 6}})
    writer = build_writer(clock, tmp_path, good=good, bad=bad)
    writer.wait_s = 1.0
    bad.act = lambda: free.wait(30)
    reports = (report("a"), report("b"))
    for _ in range(4):
        assert read_columns(await writer.read(reports)) == ([Verdict.OK, Verdict.UNKNOWN], [5, None])
        await clock.sleep(10)
    # One reading is under way, however often a frame was due.
    assert (len(bad.asked), bad.asked[0], len(good.asked)) == (1, True, 4)
    free.set()
    sampler = writer._samplers[1]  # whether the thread is done shows nowhere else
    await wait_until_async(lambda: not sampler.thread.is_busy, "it answers")
    bad.act = threading.Event().wait
    draft = await writer.read(reports)
    assert read_columns(draft) == ([Verdict.OK, Verdict.OK], [5, 6])
    assert read_ages(draft) == [None, 40_000]
    # Dear fields were due meanwhile, and are asked for as soon as somebody answers.
    await wait_until_async(lambda: len(bad.asked) == 2, "it is asked again")
    assert bad.asked == [True, True]


async def test_a_hanging_driver_holds_frames_up_once(tmp_path: Path) -> None:
    clock, free = SystemClock(), threading.Event()
    good, bad = Driver({"a": {CLOCK: 5}}), Driver({"b": {CLOCK: 6}})
    bad.act = free.wait
    writer = FrameWriter({"good": good, "bad": bad}, InventoryFile(tmp_path / "inventory.json"), clock, 10, wait_s=0.5)
    reports = (report("a"), report("b"))
    await writer.read(reports)
    begun_s = clock.monotonic_s()
    writer.wait_s = 60.0
    for _ in range(10):
        await writer.read(reports)
    assert clock.monotonic_s() - begun_s < writer.wait_s, "nobody was waited for"
    free.set()


async def test_a_device_that_two_drivers_read_has_one_row(clock: FixedClock, tmp_path: Path) -> None:
    writer = build_writer(clock, tmp_path, first=Driver({"a": {CLOCK: 5}}), second=Driver({"a": {CLOCK: 6}}))
    assert read_columns(await writer.read((report("a"),))) == ([Verdict.OK], [5])


async def test_dear_fields_are_read_now_and_then(clock: FixedClock, tmp_path: Path) -> None:
    driver = Driver({"a": {}})
    writer = build_writer(clock, tmp_path, test=driver)
    for _ in range(7):
        await writer.read((report("a"),))
    assert driver.asked == [True, False, False, True, False, False, True]
    # As often as the platform counts on, else they lapse there.
    assert FrameWriter({}, writer.inventory, clock, period_s=10).dear_every <= DEAR_EVERY_MAX


class Link:
    """Takes frames when it is let."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.is_open = asyncio.Event()
        self.asked_count = 0

    async def send_inventory(self, body: bytes) -> None:
        raise AssertionError(body)

    async def send_frame(self, body: bytes) -> FrameOutcome:
        self.asked_count += 1
        await self.is_open.wait()
        self.frames.append(body)
        return FrameOutcome.LIVE


class SetDriver(Driver):
    """Is read at times that the test looks at."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__({"a": {}})
        self.at_s: list[float] = []
        self.act = lambda: self.at_s.append(clock.monotonic_s())


def build_run(clock: Clock, tmp_path: Path, link: Link | LivePlatform, driver: Driver) -> FrameRun:
    writer = FrameWriter({"test": driver}, InventoryFile(tmp_path / "inventory.json"), clock, period_s=10)
    desk = FrameDesk(writer.inventory, FrameNumbers(tmp_path / "frames.json", clock))
    feed = FrameFeed(link, writer.inventory.write, desk, FrameBacklog(tmp_path / "backlog"))
    return FrameRun(writer, desk, feed)


async def test_the_pace_is_kept_and_what_was_missed_is_not_made_up(tmp_path: Path) -> None:
    clock, link = SetClock(), Link()
    driver = SetDriver(clock)
    run = build_run(clock, tmp_path, link, driver)
    link.is_open.set()
    listed = 0

    def list_reports() -> tuple[DeviceReport, ...]:
        nonlocal listed
        listed += 1
        # Nothing is sent before there is a device.
        return (report("a"),) if listed > 2 else ()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(run.run(list_reports))
        for count, step_s in enumerate((0, 10, 10, 65, 10, 10), start=1):
            await clock.advance(step_s)
            told = max(0, count - 2)
            is_done = partial(lambda most, wanted: listed == most and len(link.frames) == wanted, count, told)
            await wait_until_async(is_done, f"{told} frames are sent")
        running.cancel()
    # After a long sleep of the host the pace begins anew.
    assert driver.at_s == [1020, 1085, 1095, 1105]


async def test_a_platform_that_is_slow_holds_no_reading_up_and_gets_the_newest_first(tmp_path: Path) -> None:
    clock, link = SetClock(), Link()
    driver = SetDriver(clock)
    run = build_run(clock, tmp_path, link, driver)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run.run(lambda: (report("a"),)))
        await wait_until_async(lambda: link.asked_count == 1, "the first frame is on its way")
        for held in range(4):
            await clock.advance(10)
            is_held = partial(
                lambda most: run._newest.full() and run.feed.waiting_frames == most, held
            )  # shown nowhere else
            await wait_until_async(is_held, "it is read meanwhile")
        link.is_open.set()
        await wait_until_async(lambda: len(link.frames) == 5, "everything arrives")
        running.cancel()
    heads = [decode_frame(frame)[0] for frame in link.frames]
    # The first was under way by then.
    assert [(head.sampled_at_ms - heads[0].sampled_at_ms) // 10_000 for head in heads] == [0, 4, 1, 2, 3]


class Closed(Link):
    """Does not know this agent until it is told to."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self.clock = clock
        self.at_s: list[float] = []

    async def send_frame(self, body: bytes) -> FrameOutcome:
        self.at_s.append(self.clock.monotonic_s())
        if not self.is_open.is_set():
            raise Unauthenticated("revoked")
        return await super().send_frame(body)


async def test_a_door_that_is_shut_is_knocked_at_ever_less_often_and_nothing_is_dropped(
    clock: FixedClock, tmp_path: Path
) -> None:
    link = Closed(clock)
    run = build_run(clock, tmp_path, link, Driver({"a": {}}))
    reports = (report("a"),)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(run.send())
        for count in range(1, 8):
            run._hand_over(await run.writer.read(reports))  # as its own task does
            await wait_until_async(partial(lambda most: len(link.at_s) == most, count), "it is tried")
        assert (run.feed.waiting_frames, run.feed.refused_frames, run.feed.closed_count) == (7, 0, 7)
        waits_s = [after - before for before, after in pairwise(link.at_s)]
        # Each wait is drawn from the upper half of a span that doubles: 10, 20, 40, up to 60 seconds.
        for wait_s, most_s in zip(waits_s, (10, 20, 40, 60, 60, 60), strict=True):
            assert most_s / 2 <= wait_s <= most_s
        link.is_open.set()
        for _ in range(2):
            run._hand_over(await run.writer.read(reports))
            await wait_until_async(run._newest.empty, "it is taken")
        await wait_until_async(lambda: len(link.frames) == 9, "all of them arrive")
        sending.cancel()
    assert run.feed.closed_count == 0


async def test_what_was_not_sent_when_the_agent_ends_is_there_when_it_begins_again(tmp_path: Path) -> None:
    clock, link = SetClock(), Link()
    run = build_run(clock, tmp_path, link, Driver({"a": {}}))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run.run(lambda: (report("a"),)))
        await wait_until_async(lambda: link.asked_count == 1, "the first frame is on its way")
        await clock.advance(10)
        await wait_until_async(run._newest.full, "the next is read")  # shown nowhere else
        running.cancel()
    again = build_run(clock, tmp_path, link, Driver({"a": {}}))
    assert again.feed.waiting_frames == 2
