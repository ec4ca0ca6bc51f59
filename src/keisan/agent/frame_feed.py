"""How a site's frames reach the platform: the newest at once, and what a cut held back after it, a few at a time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from keisan.domain.errors import KeisanError, PlatformUnreachable, StateConflict
from keisan.domain.frame import FrameOutcome
from keisan.kit.observe import write_log, write_warning

# With each live frame that arrives. The platform bounds all sites' late frames together.
LATE_FRAMES_AT_ONCE = 4
BACKLOG_BYTES_MAX = 256 * 1024 * 1024


class FrameLink(Protocol):
    """The two requests; they raise PlatformUnreachable for what may pass later, StateConflict for an unknown inventory."""

    async def send_inventory(self, body: bytes) -> None: ...
    async def send_frame(self, body: bytes) -> FrameOutcome: ...


@dataclass(slots=True)
class FrameFeed:
    """One site's way. The backlog is in memory and bounded: the oldest frames go first, and are counted."""

    link: FrameLink
    write_inventory: Callable[[], bytes]
    begin_anew: Callable[[], None] = lambda: None
    backlog_bytes_max: int = BACKLOG_BYTES_MAX
    dropped_frames: int = 0
    refused_frames: int = 0
    _backlog: deque[bytes] = field(default_factory=deque)
    _backlog_bytes: int = 0

    @property
    def waiting_frames(self) -> int:
        """How many frames are held back."""
        return len(self._backlog)

    async def deliver(self, frame: bytes) -> bool:
        """Send the newest frame, and some of those held back if it arrived; tell whether it did."""
        if not await self._send(frame):
            self.hold(frame)
            return False
        for _ in range(min(LATE_FRAMES_AT_ONCE, len(self._backlog))):
            oldest = self._backlog[0]
            if not await self._send(oldest):
                break
            self._backlog.popleft()
            self._backlog_bytes -= len(oldest)
        return True

    def hold(self, frame: bytes) -> None:
        """Keep a frame for later."""
        self._backlog.append(frame)
        self._backlog_bytes += len(frame)
        while self._backlog_bytes > self.backlog_bytes_max:
            self._backlog_bytes -= len(self._backlog.popleft())
            self.dropped_frames += 1
            if self.dropped_frames == 1:
                write_warning("frame.dropped", reason="more frames are held back than there is room for")

    async def _tell_inventory(self) -> None:
        try:
            await self.link.send_inventory(self.write_inventory())
        except StateConflict:
            # The platform knows more of this incarnation than we do: a disk was put back. What follows is another's.
            self.begin_anew()
            raise

    async def _send(self, frame: bytes) -> bool:
        """Tell whether a frame need not be sent again: it was taken, or can never be."""
        try:
            try:
                await self.link.send_frame(frame)
            except StateConflict:
                await self._tell_inventory()
                write_log("inventory.sent")
                await self.link.send_frame(frame)
        except PlatformUnreachable:
            return False
        except KeisanError as refusal:
            self.refused_frames += 1
            if self.refused_frames == 1:
                write_warning("frame.refused", code=refusal.code, outside=refusal.outside)
        return True
