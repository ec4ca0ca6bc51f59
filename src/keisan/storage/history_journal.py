"""The journal of frames: one file for each window of a region and each time it was opened, appended to and synced.

A record is a head of 16 bytes (mark, lengths, CRC-32 of the rest), what the frame says as JSON, and its numbers and values,
their bytes in planes so that lz4 finds the zeros. What a crash tore at a file's end is passed over.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keisan.domain.history import JOURNAL_FILES_OPEN_MAX, JOURNAL_LATE_S, WINDOW_GRACE_MS, FrameOrigin, Window
from keisan.domain.sample import MISSING, FrameHead, SampleName
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.ids import create_id
from keisan.kit.observe import write_warning
from keisan.kit.private_file import create_private_folder, sync_folder
from keisan.storage.base_history import JournalFile, JournalFrame
from keisan.wire.frame import Values

SUFFIX: Final = ".journal"
DAMAGED_SUFFIX: Final = ".damaged"
_MARK: Final = b"KHJ1"
_HEAD: Final = struct.Struct("<4sIII")
_CODEC: Final = pa.Codec("lz4_raw")


class _Label(msgspec.Struct, frozen=True):
    """What stands before a record's columns; `fields` are those that it has columns of."""

    origin: FrameOrigin
    head: FrameHead
    device_count: int
    fields: tuple[SampleName, ...]


@dataclass(slots=True)
class _Writer:
    file: FileIO
    path: Path
    opened_at_s: float
    size_bytes: int = 0
    is_dirty: bool = True


def encode_record(frame: JournalFrame) -> bytes:
    """Return a frame as a record."""
    present = [place for place, row in enumerate(frame.values) if (row != MISSING).any()]
    names = tuple(SampleName)
    label = msgspec.json.encode(
        _Label(frame.origin, frame.head, len(frame.numbers), tuple(names[place] for place in present))
    )
    columns = np.concatenate([frame.numbers.view(np.int32)[None, :], frame.values[present]])
    planes = np.ascontiguousarray(columns.view(np.uint8).reshape(len(columns), -1, 4).transpose(0, 2, 1))
    body = _CODEC.compress(planes, asbytes=True)
    checksum = zlib.crc32(body, zlib.crc32(label))
    return b"".join((_HEAD.pack(_MARK, len(label), len(body), checksum), label, body))


def decode_record(label: _Label, body: bytes) -> JournalFrame:
    """Return the frame of a record."""
    count = len(label.fields) + 1
    content = _CODEC.decompress(body, decompressed_size=count * label.device_count * 4, asbytes=True)
    planes: npt.NDArray[np.uint8] = np.frombuffer(content, np.uint8)
    columns = np.ascontiguousarray(planes.reshape(count, 4, -1).transpose(0, 2, 1)).view(np.int32)[:, :, 0]
    values: Values = np.full((len(SampleName), label.device_count), MISSING, np.int32)
    places = {name: place for place, name in enumerate(SampleName)}
    values[[places[name] for name in label.fields]] = columns[1:]
    return JournalFrame(label.origin, label.head, columns[0].view(np.uint32), values)


@dataclass(slots=True)
class Journal:
    """The journal in a folder. One process has it at a time; its threads may call at once."""

    root: Path
    clock: Clock
    _writers: dict[Window, _Writer] = field(default_factory=dict)
    _turn: Lock = field(default_factory=Lock)

    def write(self, frames: Sequence[JournalFrame]) -> int:
        """Append frames and return how many bytes they took; raises OSError, and then keeps none of the one that failed."""
        with self._turn:
            return sum(self._write_one(frame) for frame in frames)

    def _write_one(self, frame: JournalFrame) -> int:
        writer = self._writers.get(frame.window) or self._open(frame.window)
        record = encode_record(frame)
        try:
            is_whole = writer.file.write(record) == len(record)
        except OSError:
            self._undo(writer)
            raise
        if not is_whole:
            self._undo(writer)
            raise OSError(f"{writer.path}: there was no room for {len(record)} bytes")
        writer.size_bytes += len(record)
        writer.is_dirty = True
        return len(record)

    def _undo(self, writer: _Writer) -> None:
        writer.file.truncate(writer.size_bytes)
        writer.file.seek(writer.size_bytes)

    def _open(self, window: Window) -> _Writer:
        if len(self._writers) >= JOURNAL_FILES_OPEN_MAX:
            self._close(min(self._writers, key=lambda each: each.start_ms))
        folder = self.root / window.region
        create_private_folder(folder)
        # A name is never used twice: manifests tell which files were folded by it.
        path = folder / f"{window.start_ms}-{create_id().hex}{SUFFIX}"
        file = FileIO(path, "xb")
        for each in (folder, self.root):
            sync_folder(each)
        writer = self._writers[window] = _Writer(file, path, self.clock.monotonic_s())
        return writer

    def sync(self) -> None:
        """Return once all that was appended is on the disk; raises OSError."""
        with self._turn:
            dirty = [each for each in self._writers.values() if each.is_dirty]
            descriptors = [os.dup(each.file.fileno()) for each in dirty]
            for each in dirty:
                each.is_dirty = False
        # Without the lock: a slow disk holds up what is appended only by what it queues.
        try:
            for descriptor in descriptors:
                os.fdatasync(descriptor)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def close_due(self) -> None:
        """Close the files of windows that are over; one that late frames come for takes them for JOURNAL_LATE_S."""
        over_ms = to_milliseconds(self.clock.now()) - WINDOW_GRACE_MS
        opened_before_s = self.clock.monotonic_s() - JOURNAL_LATE_S
        with self._turn:
            for window, writer in list(self._writers.items()):
                if window.end_ms <= over_ms and writer.opened_at_s <= opened_before_s:
                    self._close(window)

    def close(self) -> None:
        """Close all files."""
        with self._turn:
            for window in list(self._writers):
                self._close(window)

    def _close(self, window: Window) -> None:
        writer = self._writers.pop(window)
        os.fdatasync(writer.file.fileno())
        writer.file.close()

    def list_closed(self) -> Sequence[JournalFile]:
        """Return files that nothing is appended to any more, those of before a restart too, the oldest window first."""
        with self._turn:
            opened = {each.path for each in self._writers.values()}
            found = [
                JournalFile(path, Window(path.parent.name, int(path.name.partition("-")[0])))
                for path in self.root.glob(f"*/*{SUFFIX}")
                if path not in opened
            ]
        return sorted(found, key=lambda each: (each.window.start_ms, each.window.region, each.path.name))

    def list_frames(self, file: JournalFile) -> "Iterator[RecordPlace]":
        """Yield a closed file's frames, each checked and not yet read; raises OSError."""
        return list_records(file.path)

    def remove(self, files: Sequence[JournalFile]) -> None:
        """Remove closed files; those that are gone are none. Raises OSError."""
        for each in files:
            each.path.unlink(missing_ok=True)

    def count_bytes(self) -> int:
        """Return how much of the disk the journal takes."""
        return sum(path.stat().st_size for path in self.root.glob("*/*") if path.is_file())


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a record's columns stand in a file, and what stands before them."""

    path: Path
    offset: int
    size_bytes: int
    label: _Label

    @property
    def origin(self) -> FrameOrigin:
        """Return where its frame came from."""
        return self.label.origin

    @property
    def device_count(self) -> int:
        """Return how many devices its frame has."""
        return self.label.device_count

    @property
    def head(self) -> FrameHead:
        """Return what its frame says of itself."""
        return self.label.head

    def read(self) -> JournalFrame:
        """Return the frame; raises OSError."""
        with self.path.open("rb") as file:
            return decode_record(self.label, os.pread(file.fileno(), self.size_bytes, self.offset))


def list_records(path: Path) -> Iterator[RecordPlace]:
    """Yield the records of a file, each checked; what is damaged, or was torn by a crash, is passed over and told.

    Raises OSError.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        return
    passed_bytes = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        position = 0
        while 0 <= position < size_bytes:
            found = _read_one(content, position, path)
            if found is None:
                following = content.find(_MARK, position + 1)
                passed_bytes += (following if following > 0 else size_bytes) - position
                position = following
            else:
                yield found
                position = found.offset + found.size_bytes
    if passed_bytes:
        write_warning("history.journal_torn", path=str(path), passed_bytes=passed_bytes)


def _read_one(content: mmap.mmap, position: int, path: Path) -> RecordPlace | None:
    """Return the record that begins at a position, None if there is no whole one."""
    start = position + _HEAD.size
    if start > len(content):
        return None
    mark, label_bytes, body_bytes, checksum = _HEAD.unpack_from(content, position)
    end = start + label_bytes + body_bytes
    if mark != _MARK or end > len(content):
        return None
    with memoryview(content) as view, view[start:end] as rest:
        if zlib.crc32(rest) != checksum:
            return None
        label = msgspec.json.decode(rest[:label_bytes], type=_Label)
    return RecordPlace(path, end - body_bytes, body_bytes, label)
