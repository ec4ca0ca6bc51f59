"""Sequences of frames: they never go back, whatever becomes of the clock, the period, the disk or the process."""

from pathlib import Path

from keisan.agent.document import read_document, write_document
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_warning

# Numbers are reserved on disk, so many at a time: at ten seconds one write in ten minutes.
RESERVED_AT_ONCE = 64
# Left out at each start, for parts of frames that were numbered already and turn out too large to be sent whole.
SPARE_NUMBERS = 4096


class FrameNumbers:
    """A process begins after all numbers that were reserved, and not before the seconds since 1970.

    Frames are due once a second at most (FRAME_PERIOD_MS_MIN), so the second alone passes every number that was given before
    as long as the clock does not go back, and the first alone as long as the file is there. If neither holds, the platform
    says so: a new frame that is not its newest (agent/frame_feed.py).
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._is_kept = True
        start = max(self._load(), to_milliseconds(clock.now()) // 1000)
        self._spare, self._spare_end = start, start + SPARE_NUMBERS
        self._next = self._spare_end
        self._reserved_end = start

    def take(self) -> int:
        """Return a number above all that were taken before."""
        number = self._next
        self._next += 1
        if self._next > self._reserved_end:
            self._reserve()
        return number

    def take_spare(self) -> int | None:
        """Return a number that nothing has and that is below those of this process; None if all are used up."""
        if self._spare == self._spare_end:
            return None
        self._spare += 1
        return self._spare - 1

    def _reserve(self) -> None:
        self._reserved_end = self._next + RESERVED_AT_ONCE
        try:
            write_document(self._path, {"reserved_end": self._reserved_end})
        except OSError as failure:
            if self._is_kept:
                write_warning("frame_numbers.not_kept", path=str(self._path), fault=str(failure))
            self._is_kept = False
            return
        self._is_kept = True

    def _load(self) -> int:
        if not self._path.exists():
            return 0
        try:
            return max(0, int(str(read_document(self._path)["reserved_end"])))
        except (OSError, ValueError, KeyError) as failure:
            write_warning("frame_numbers.forgotten", path=str(self._path), fault=repr(failure))
            return 0
