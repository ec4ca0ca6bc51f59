"""How frames reach the platform: the newest first, nothing lost by a cut that there is room for, nothing sent for ever."""

import pytest

from keisan.agent.frame_feed import LATE_FRAMES_AT_ONCE, FrameFeed
from keisan.domain.errors import KeisanError, PlatformUnreachable, Refused, StateConflict
from keisan.domain.frame import FrameOutcome


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
    return FrameFeed(link, lambda: b"inventory", backlog_bytes_max=100)


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
    assert (feed.waiting_frames, feed.dropped_frames) == (10, 2)
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


async def test_an_inventory_that_the_platform_knows_another_past_of_is_begun_anew(link: Link) -> None:
    told: list[str] = []

    async def refuse(body: bytes) -> None:
        if len(told) == 0:
            raise StateConflict("the platform is at version 3")
        link.inventories.append(body)

    link.send_inventory = refuse  # type: ignore[method-assign]  # a platform whose database is newer
    feed = FrameFeed(link, lambda: b"inventory", begin_anew=lambda: told.append("anew"))
    assert await feed.deliver(b"old")
    assert (told, feed.refused_frames) == (["anew"], 1)
    assert await feed.deliver(b"new")
    assert link.frames == [b"new"]
