"""Frames that wait for their turn, oldest first: on disk, so that a restart loses none, and within a bound."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from keisan.kit.observe import write_warning
from keisan.kit.private_file import create_private_folder, write_private_file

BACKLOG_BYTES_MAX = 256 * 1024 * 1024
_SUFFIX = ".frame"


@dataclass(frozen=True, slots=True)
class _Held:
    """A frame: in a file of `size_bytes`, or in memory where there is no folder or the disk is full."""

    size_bytes: int
    path: Path | None = None
    body: bytes = b""


class FrameBacklog:
    """Without a folder it is in memory. Beyond `bytes_max` the oldest frames go, and are counted as `dropped_frames`."""

    def __init__(self, folder: Path | None = None, bytes_max: int = BACKLOG_BYTES_MAX) -> None:
        self.dropped_frames = 0
        self._folder = folder
        self._bytes_max = bytes_max
        self._frames: deque[_Held] = deque()
        self._bytes = 0
        self._number = 0
        self._is_written = True
        self._taken: _Held | None = None
        if folder is not None:
            self._load(folder)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: bytes) -> None:
        """Hold a frame back."""
        self._frames.append(self._keep(frame))
        self._bytes += len(frame)
        self._make_room()

    def take_oldest(self) -> bytes | None:
        """Return the oldest frame that can be read, None if there is none; it stays until `drop_taken`."""
        while self._frames:
            self._taken = oldest = self._frames[0]
            if oldest.path is None:
                return oldest.body
            try:
                return oldest.path.read_bytes()
            except OSError as failure:
                write_warning("frame.lost", path=str(oldest.path), fault=str(failure))
                self.dropped_frames += 1
                self._drop()
        return None

    def drop_taken(self) -> None:
        """Forget the frame that was taken last, unless it had to go meanwhile."""
        if self._frames and self._frames[0] is self._taken:
            self._drop()

    def _drop(self) -> None:
        oldest = self._frames.popleft()
        self._bytes -= oldest.size_bytes
        if oldest.path is not None:
            try:
                oldest.path.unlink(missing_ok=True)
            except OSError as failure:
                # It will be sent once more after a restart, which changes nothing.
                write_warning("frame.not_removed", path=str(oldest.path), fault=str(failure))

    def _make_room(self) -> None:
        while self._bytes > self._bytes_max:
            self._drop()
            self.dropped_frames += 1
            if self.dropped_frames == 1:
                write_warning("frame.dropped", reason="more frames are held back than there is room for")

    def _keep(self, frame: bytes) -> _Held:
        if self._folder is None:
            return _Held(len(frame), body=frame)
        path = self._folder / f"{self._number:012d}{_SUFFIX}"
        self._number += 1
        try:
            write_private_file(path, frame)
        except OSError as failure:
            if self._is_written:
                write_warning("frame.not_kept", path=str(path), fault=str(failure))
            self._is_written = False
            return _Held(len(frame), body=frame)
        self._is_written = True
        return _Held(len(frame), path=path)

    def _load(self, folder: Path) -> None:
        try:
            create_private_folder(folder)
            found = sorted(folder.glob(f"*{_SUFFIX}"))
            self._frames.extend(_Held(path.stat().st_size, path=path) for path in found)
        except OSError as failure:
            write_warning("backlog.not_read", path=str(folder), fault=str(failure))
            return
        self._bytes = sum(held.size_bytes for held in self._frames)
        if found:
            self._number = int(found[-1].stem) + 1 if found[-1].stem.isdigit() else len(found)
        self._make_room()
