"""How a site's frames reach the platform: the newest at once, and what a cut held back after it, a few at a time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from keisan.agent.backlog import FrameBacklog
from keisan.agent.frame_desk import FrameDesk
from keisan.domain.errors import (
    KeisanError,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PlatformUnreachable,
    StateConflict,
    Unauthenticated,
)
from keisan.domain.frame import FrameOutcome
from keisan.kit.observe import write_log, write_warning

# With each live frame that arrives. The platform bounds all sites' late frames together.
LATE_FRAMES_AT_ONCE = 4
# What a person may set right: a key that is revoked, a right that is missing, a way that leads elsewhere.
CLOSED = (Unauthenticated, PermissionDenied, NotFound)


class FrameLink(Protocol):
    """The two requests; they raise PlatformUnreachable for what may pass later, StateConflict for an unknown inventory."""

    async def send_inventory(self, body: bytes) -> None: ...
    async def send_frame(self, body: bytes) -> FrameOutcome: ...


@dataclass(slots=True)
class FrameFeed:
    """One site's way. Without a desk frames are sent as they are, and never split or given to another inventory.

    `closed_count` is how many times in a row the platform has shut its door: whoever delivers waits the longer. Nothing that
    may still be taken is dropped; what is refused for good, or outgrows the backlog, is counted and told.
    """

    link: FrameLink
    write_inventory: Callable[[], bytes]
    desk: FrameDesk | None = None
    backlog: FrameBacklog = field(default_factory=FrameBacklog)
    refused_frames: int = 0
    closed_count: int = 0
    _told: set[str] = field(default_factory=set)

    @property
    def waiting_frames(self) -> int:
        """How many frames are held back."""
        return len(self.backlog)

    @property
    def _devices_max(self) -> int:
        return 0 if self.desk is None else self.desk.devices_max

    def hold(self, frame: bytes) -> None:
        """Keep a frame for later."""
        self.backlog.add(frame)

    async def deliver(self, *parts: bytes, has_newer: Callable[[], bool] = lambda: False) -> bool:
        """Send the newest frame, or its parts, and some of those held back if it arrived; tell whether it did.

        Those held back wait as soon as `has_newer` tells of a newer one.
        """
        waiting, devices_max = deque(parts), self._devices_max
        while waiting:
            part = waiting.popleft()
            if self.desk is not None and self._devices_max < devices_max:
                # One before was split, and its parts have newer numbers by now.
                part = self.desk.number(part, is_newest=True) or part
            left = await self._send(part, is_newest=True)
            if left:
                for frame in (*left, *waiting):
                    self.hold(frame)
                return False
        for _ in range(min(LATE_FRAMES_AT_ONCE, len(self.backlog))):
            if has_newer() or not await self._deliver_oldest():
                break
        return True

    async def _deliver_oldest(self) -> bool:
        oldest = self.backlog.take_oldest()
        if oldest is None:
            return False
        frame = oldest if self.desk is None else self.desk.follow(oldest)
        left: tuple[bytes, ...] = ()
        if frame is None:
            self._refuse("other_devices", "a frame that was held back is of devices that the inventory does not know")
        else:
            left = await self._send(frame, is_newest=False)
        if left == (frame,):
            return False
        # A part that is left goes to the end: late is late.
        for part in left:
            self.backlog.add(part)
        self.backlog.drop_taken()
        return not left

    async def _send(self, frame: bytes, *, is_newest: bool) -> tuple[bytes, ...]:
        """Return what of a frame must be sent again: nothing if it was taken, or can never be."""
        try:
            outcome = await self._hand_in(frame)
        except PlatformUnreachable:
            return (frame,)
        except CLOSED as refusal:
            self._close(refusal)
            return (frame,)
        except LimitExceeded as refusal:
            return await self._send_parts(frame, refusal, is_newest=is_newest)
        except KeisanError as refusal:
            self._refuse(refusal.code, refusal.outside)
            outcome = FrameOutcome.LIVE
        self._open()
        if is_newest and outcome is not FrameOutcome.LIVE:
            return self._catch_up(frame, outcome)
        return ()

    async def _hand_in(self, frame: bytes) -> FrameOutcome:
        try:
            return await self.link.send_frame(frame)
        except StateConflict:
            await self._tell_inventory()
        followed = frame if self.desk is None else self.desk.follow(frame)
        return await self.link.send_frame(frame if followed is None else followed)

    async def _tell_inventory(self) -> None:
        try:
            await self.link.send_inventory(self.write_inventory())
        except StateConflict:
            if self.desk is None:
                raise
            # The platform knows more of this incarnation than we do: a disk was put back. What follows is another's.
            self.desk.inventory.begin_anew()
            await self.link.send_inventory(self.write_inventory())
        except LimitExceeded as refusal:
            # It crosses whole: until somebody lets larger bodies through, no frame can be taken.
            raise PermissionDenied(refusal.outside) from refusal
        write_log("inventory.sent")

    def _catch_up(self, frame: bytes, outcome: FrameOutcome) -> tuple[bytes, ...]:
        """Go on as another incarnation: the platform has seen newer numbers than ours, and would take all of ours as old.

        A late frame was taken into history; a duplicate was not, and goes again.
        """
        if self.desk is None:
            return ()
        write_warning("frame.not_newest", outcome=outcome)
        self.desk.inventory.begin_anew()
        return (frame,) if outcome is FrameOutcome.DUPLICATE else ()

    async def _send_parts(self, frame: bytes, refusal: KeisanError, *, is_newest: bool) -> tuple[bytes, ...]:
        parts = None if self.desk is None else self.desk.split(frame)
        if self.desk is None or parts is None:
            self._refuse(refusal.code, refusal.outside)
            return ()
        write_log("frame.split", bytes=len(frame))
        left = await self._send(parts[0], is_newest=is_newest)
        second = self.desk.number(parts[1], is_newest=is_newest)
        if second is None:
            self._refuse(refusal.code, refusal.outside)
            return left
        return (*left, second) if left else await self._send(second, is_newest=is_newest)

    def _refuse(self, code: str, outside: str) -> None:
        self.refused_frames += 1
        if code not in self._told:
            write_warning("frame.refused", code=code, outside=outside)
        self._told.add(code)

    def _close(self, refusal: KeisanError) -> None:
        self.closed_count += 1
        if self.closed_count == 1:
            write_warning("frames.held", code=refusal.code, outside=refusal.outside)

    def _open(self) -> None:
        if self.closed_count:
            write_log("frames.taken", after_tries=self.closed_count, waiting=self.waiting_frames)
        self.closed_count = 0
