"""How frames reach the platform: the newest first, nothing lost by a cut that there is room for, nothing sent for ever."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.agent.backlog import FrameBacklog
from keisan.agent.frame_feed import LATE_FRAMES_AT_ONCE, FrameFeed
from keisan.domain.errors import (
    KeisanError,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PlatformUnreachable,
    Refused,
    StateConflict,
    Unauthenticated,
)
from keisan.domain.frame import FrameFault, FrameOutcome
from keisan.domain.limits import FRAME_DEVICES_MIN
from keisan.domain.verdict import Verdict
from tests.agent.frame_agent import CLOCK, Agent, number_device
from tests.agent.live_platform import LivePlatform
from tests.factories import FixedClock


class Link:
    """A platform that knows inventories, may be away, and keeps what it was sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.inventories: list[bytes] = []
        self.fault: KeisanError | None = None
        self.postponed = 0

    async def send_inventory(self, body: bytes) -> None:
        if isinstance(self.fault, PlatformUnreachable):
            raise self.fault
        self.inventories.append(body)

    async def send_frame(self, body: bytes) -> FrameOutcome:
        if self.fault is not None:
            raise self.fault
        if not self.inventories:
            raise StateConflict("unknown inventory")
        if self.postponed and body.startswith(b"cut"):
            self.postponed -= 1
            raise PlatformUnreachable("postponed")
        self.frames.append(body)
        return FrameOutcome.LIVE


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def feed(link: Link) -> FrameFeed:
    return FrameFeed(link, lambda: b"inventory", backlog=FrameBacklog(bytes_max=100))


async def test_the_inventory_goes_before_the_first_frame(feed: FrameFeed, link: Link) -> None:
    assert await feed.deliver(b"one")
    assert await feed.deliver(b"two")
    assert (link.inventories, link.frames) == ([b"inventory"], [b"one", b"two"])


async def test_what_a_cut_held_back_follows_the_newest_oldest_first(feed: FrameFeed, link: Link) -> None:
    link.fault = PlatformUnreachable("cut")
    for number in range(6):
        assert not await feed.deliver(b"cut%d" % number)
    assert feed.waiting_frames == 6
    link.fault = None
    assert await feed.deliver(b"new")
    assert link.frames == [b"new", *(b"cut%d" % number for number in range(LATE_FRAMES_AT_ONCE))]
    assert await feed.deliver(b"next")
    assert feed.waiting_frames == 0
    assert link.frames[-3:] == [b"next", b"cut4", b"cut5"]


async def test_postponed_frames_wait_for_the_next_turn(feed: FrameFeed, link: Link) -> None:
    link.fault = PlatformUnreachable("cut")
    await feed.deliver(b"cut")
    link.fault, link.postponed = None, 2
    assert await feed.deliver(b"new")
    assert await feed.deliver(b"newer")
    assert feed.waiting_frames == 1
    assert await feed.deliver(b"newest")
    assert link.frames == [b"new", b"newer", b"newest", b"cut"]


async def test_without_room_the_oldest_go_and_are_counted(feed: FrameFeed, link: Link) -> None:
    link.fault = PlatformUnreachable("cut")
    for number in range(12):
        await feed.deliver(b"%010d" % number)
    assert (feed.waiting_frames, feed.backlog.dropped_frames) == (10, 2)
    link.fault = None
    await feed.deliver(b"new")
    assert link.frames[1] == b"%010d" % 2


async def test_a_refused_frame_is_not_sent_again(feed: FrameFeed, link: Link) -> None:
    link.fault = Refused("never")
    assert await feed.deliver(b"wrong")
    assert await feed.deliver(b"wrong")
    assert (feed.waiting_frames, feed.refused_frames) == (0, 2)


async def test_a_conflict_that_stays_is_a_refusal(feed: FrameFeed, link: Link) -> None:
    link.fault = StateConflict("another agent's inventory")
    assert await feed.deliver(b"one")
    assert feed.refused_frames == 1


@pytest.mark.parametrize(
    "refusal", [Unauthenticated("revoked"), PermissionDenied("no"), NotFound("elsewhere")], ids=repr
)
async def test_a_door_that_is_shut_holds_everything_back_and_is_told_once(
    feed: FrameFeed, link: Link, refusal: KeisanError, caplog: pytest.LogCaptureFixture
) -> None:
    link.fault = refusal
    for number in range(12):
        assert not await feed.deliver(b"%010d" % number)
    # Within the bound; what goes for want of room is counted.
    assert (feed.waiting_frames, feed.backlog.dropped_frames, feed.refused_frames, feed.closed_count) == (10, 2, 0, 12)
    assert caplog.messages.count("frames.held") == 1
    link.fault = None
    for number in range(12, 16):
        assert await feed.deliver(b"%010d" % number)
    assert (feed.waiting_frames, feed.closed_count) == (0, 0)
    assert sorted(link.frames) == [b"%010d" % number for number in range(2, 16)]


async def test_what_waits_gives_way_to_what_is_newer(feed: FrameFeed, link: Link) -> None:
    link.fault = PlatformUnreachable("cut")
    for number in range(3):
        await feed.deliver(b"cut%d" % number)
    link.fault = None
    assert await feed.deliver(b"new", has_newer=lambda: len(link.frames) > 1)
    assert link.frames == [b"new", b"cut0"]


def name_devices(count: int) -> list[str]:
    return [f"d{number}" for number in range(count)]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def platform(clock: FixedClock) -> LivePlatform:
    return LivePlatform(clock)


@pytest.mark.parametrize("periods_s", [(10, 60), (60, 10), (1, 60, 1), (10, 30, 10, 60)])
@pytest.mark.parametrize("is_kept", [True, False], ids=["with its file", "without"])
async def test_another_period_after_a_restart_leaves_the_site_live(
    tmp_path: Path, clock: FixedClock, platform: LivePlatform, periods_s: tuple[int, ...], is_kept: bool
) -> None:
    for period_s in periods_s:
        agent = Agent(tmp_path, clock, platform, period_s)
        for _ in range(3):
            platform.taken.clear()
            assert await agent.step("a", "b")
            assert [outcome for _, outcome in platform.taken] == [FrameOutcome.LIVE]
            assert platform.judge() == {"a": Verdict.OK, "b": Verdict.OK}
        if not is_kept:
            (tmp_path / "frames.json").unlink()
    assert platform.inventory_count == 1


async def test_an_agent_whose_numbers_went_back_is_live_again_within_three_periods(
    tmp_path: Path, clock: FixedClock, platform: LivePlatform
) -> None:
    agent = Agent(tmp_path, clock, platform)
    await agent.step("a", "b")
    # Its file is lost, and its clock was a day ahead.
    (tmp_path / "frames.json").unlink()
    clock.instant -= timedelta(days=1)
    again = Agent(tmp_path, clock, platform)
    outcomes = []
    for _ in range(3):
        await again.step("a", "b")
        outcomes.append(platform.taken[-1][1])
    assert outcomes == [FrameOutcome.LATE, FrameOutcome.LIVE, FrameOutcome.LIVE]
    assert platform.judge() == {"a": Verdict.OK, "b": Verdict.OK}
    assert again.inventory.incarnation == platform.site.mark.incarnation


async def test_a_number_that_the_platform_knows_is_given_anew_and_its_frame_goes_again(
    tmp_path: Path, clock: FixedClock, platform: LivePlatform
) -> None:
    agent = Agent(tmp_path, clock, platform)
    [frame] = agent.read("a")
    assert await agent.feed.deliver(frame)
    assert not await agent.feed.deliver(frame)
    assert await agent.step("a")
    assert [outcome for _, outcome in platform.taken] == [
        FrameOutcome.LIVE,
        FrameOutcome.DUPLICATE,
        FrameOutcome.LIVE,
        FrameOutcome.LATE,
    ]
    assert agent.feed.waiting_frames == 0


async def test_a_disk_that_was_put_back_writes_onto_no_other_device(
    tmp_path: Path, clock: FixedClock, platform: LivePlatform
) -> None:
    disk, backup = tmp_path / "disk", tmp_path / "backup"
    disk.mkdir()
    await Agent(disk, clock, platform).step("a", "b")
    shutil.copytree(disk, backup)
    agent = Agent(disk, clock, platform)
    await agent.step("a", "b", "c")
    before = agent.inventory.incarnation
    shutil.rmtree(disk)
    shutil.copytree(backup, disk)
    # Another device gets the number of one that it has forgotten, under the same version.
    again = Agent(disk, clock, platform)
    assert again.inventory.incarnation == before
    assert await again.step("a", "b", "x")
    assert platform.site.mark.version == 1
    assert again.inventory.incarnation != before
    assert platform.read_column(CLOCK) == {each: number_device(each) for each in ("a", "b", "x")}
    assert (again.feed.refused_frames, again.feed.waiting_frames) == (0, 0)
    # The other was told when c came.
    assert platform.count_faults() == {FrameFault.OTHER_DEVICES: 1, FrameFault.UNKNOWN_INVENTORY: 1}


async def test_frames_that_were_held_back_follow_into_another_incarnation(
    tmp_path: Path, clock: FixedClock, platform: LivePlatform
) -> None:
    agent = Agent(tmp_path, clock, platform)
    await agent.step("a", "b")
    platform.fault = PlatformUnreachable("cut")
    for _ in range(3):
        await agent.step("a", "b")
    agent.inventory.begin_anew()
    platform.fault = None
    # It has been restarted since, with one device more.
    again = Agent(tmp_path, clock, platform)
    assert again.feed.waiting_frames == 3
    assert await again.step("a", "b", "c")
    heads = [head for head, _ in platform.taken[1:]]
    assert {head.incarnation for head in heads} == {again.inventory.incarnation}
    assert [head.device_count for head in heads] == [3, 2, 2, 2]
    assert [outcome for _, outcome in platform.taken[2:]] == [FrameOutcome.LATE] * 3
    assert again.feed.refused_frames == 0


async def test_a_frame_held_back_that_means_other_devices_or_is_damaged_is_counted_and_not_sent(
    tmp_path: Path, clock: FixedClock, platform: LivePlatform
) -> None:
    agent = Agent(tmp_path, clock, platform)
    platform.fault = PlatformUnreachable("cut")
    await agent.step("a", "b")
    (tmp_path / "inventory.json").unlink()
    (tmp_path / "backlog" / f"{9:012d}.frame").write_bytes(b"torn")
    again = Agent(tmp_path, clock, platform)
    platform.fault = None
    assert await again.step("b", "a")
    assert (again.feed.refused_frames, again.feed.waiting_frames, len(platform.taken)) == (2, 0, 1)
    assert platform.count_faults() == {}
    assert platform.read_column(CLOCK) == {"a": number_device("a"), "b": number_device("b")}


class Narrow(LivePlatform):
    """Behind something that lets no more than so many bytes through."""

    bytes_max = 10**9

    def take_frame(self, body: bytes) -> FrameOutcome:
        if len(body) > self.bytes_max:
            raise LimitExceeded("413")
        return super().take_frame(body)

    def take_inventory(self, body: bytes) -> None:
        if len(body) > self.bytes_max:
            raise LimitExceeded("413")
        super().take_inventory(body)


async def test_a_frame_that_is_too_large_goes_in_parts_and_later_ones_do_so_at_once(
    tmp_path: Path, clock: FixedClock
) -> None:
    platform, devices = Narrow(clock), name_devices(2000)
    agent = Agent(tmp_path, clock, platform)
    await agent.step(*devices)
    # One of these waits meanwhile: it was numbered when nobody knew that it is too large.
    platform.fault = PlatformUnreachable("cut")
    await agent.step(*devices)
    platform.fault = None
    platform.bytes_max = len(platform.bodies[0]) // 2
    platform.taken.clear()
    assert await agent.step(*devices)
    platform.bytes_max = 10**9
    outcomes = [outcome for _, outcome in platform.taken]
    assert outcomes == [FrameOutcome.LIVE] * 4 + [FrameOutcome.LATE] * 4
    for parts in (platform.taken[:4], platform.taken[4:]):
        # History takes what is of one moment for one frame.
        assert len({head.sampled_at_ms for head, _ in parts}) == 4
    assert platform.read_column(CLOCK) == {each: number_device(each) for each in devices}
    platform.taken.clear()
    assert await agent.step(*devices)
    assert [outcome for _, outcome in platform.taken] == [FrameOutcome.LIVE] * 4
    assert (agent.feed.refused_frames, agent.feed.waiting_frames) == (0, 0)
    assert platform.count_faults() == {}


async def test_what_cannot_be_made_smaller_is_counted(tmp_path: Path, clock: FixedClock) -> None:
    platform, devices = Narrow(clock), name_devices(FRAME_DEVICES_MIN * 2 - 1)
    agent = Agent(tmp_path, clock, platform)
    await agent.step("d0")
    platform.bytes_max = len(platform.bodies[0])
    platform.take_inventory = lambda body: LivePlatform.take_inventory(platform, body)  # type: ignore[method-assign]  # lets it through
    assert await agent.step(*devices)
    assert (agent.feed.refused_frames, agent.feed.waiting_frames) == (1, 0)


async def test_an_inventory_that_is_too_large_holds_frames_back_until_somebody_lets_it_through(
    tmp_path: Path, clock: FixedClock
) -> None:
    platform = Narrow(clock)
    platform.bytes_max = 100
    agent = Agent(tmp_path, clock, platform)
    platform.take_frame = lambda body: LivePlatform.take_frame(platform, body)  # type: ignore[method-assign]  # lets it through
    assert not await agent.step("a")
    assert (agent.feed.waiting_frames, agent.feed.closed_count, agent.feed.refused_frames) == (1, 1, 0)
    platform.bytes_max = 10**6
    assert await agent.step("a")
    assert agent.feed.waiting_frames == 0


async def test_parts_that_are_too_large_again_stay_in_order(tmp_path: Path, clock: FixedClock) -> None:
    platform, devices = Narrow(clock), name_devices(3000)
    agent = Agent(tmp_path, clock, platform)
    agent.desk.devices_max = 1500
    await agent.step(*devices)
    # Both its parts are numbered before anybody knows better.
    platform.bytes_max = len(platform.bodies[0]) // 3
    platform.taken.clear()
    parts = agent.read(*devices)
    assert len(parts) == 2
    assert await agent.feed.deliver(*parts)
    assert [outcome for _, outcome in platform.taken] == [FrameOutcome.LIVE] * 8
    assert platform.inventory_count == 1
    assert platform.judge() == dict.fromkeys(devices, Verdict.OK)


async def test_a_part_that_did_not_arrive_waits_alone(tmp_path: Path, clock: FixedClock) -> None:
    class Cut(LivePlatform):
        def take_frame(self, body: bytes) -> FrameOutcome:
            if len(self.taken) == 1:
                raise PlatformUnreachable("cut")
            return super().take_frame(body)

    platform, devices = Cut(clock), name_devices(600)
    agent = Agent(tmp_path, clock, platform)
    agent.desk.devices_max = 300
    assert not await agent.step(*devices)
    assert (len(platform.taken), agent.feed.waiting_frames) == (1, 1)
