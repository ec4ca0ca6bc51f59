"""Which frames were folded, on the local disk: a file for each day of a region, a line for each time a window was folded.

It outlives the frames' own files, so that a frame that is sent again after hours is known.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from keisan.domain.history import SequenceRanges, Window, name_day
from keisan.kit.private_file import create_private_folder, sync_folder
from keisan.storage.base_history import FramePlace

SUFFIX: Final = ".seen"


class _Line(msgspec.Struct, frozen=True):
    window_start_ms: int
    frames: list[tuple[str, str, list[tuple[int, int]]]]


@dataclass(slots=True)
class SeenFolder:
    """The files under a folder."""

    root: Path

    def find(self, window: Window) -> Mapping[tuple[str, str], SequenceRanges]:
        """Return what was folded into a window; raises OSError."""
        found: dict[tuple[str, str], SequenceRanges] = {}
        path = self._name(window)
        # A line that a crash tore was not yet relied on: its journal files are still there.
        for text in path.read_bytes().split(b"\n")[:-1] if path.exists() else ():
            line = msgspec.json.decode(text, type=_Line)
            if line.window_start_ms == window.start_ms:
                for site, incarnation, ranges in line.frames:
                    found[site, incarnation] = found.get((site, incarnation), SequenceRanges()).add(ranges)
        return found

    def add(self, window: Window, frames: Iterable[FramePlace]) -> None:
        """Note frames, on the disk when it returns; twice is once. Raises OSError."""
        sequences: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for each in frames:
            key = (str(each.origin.site_id), each.head.incarnation)
            sequences.setdefault(key, []).append((each.head.sequence, each.head.sequence))
        line = _Line(
            window.start_ms, [(*key, list(SequenceRanges().add(each).ranges)) for key, each in sequences.items()]
        )
        path = self._name(window)
        create_private_folder(path.parent)
        with path.open("r+b" if path.exists() else "x+b") as file:
            content = file.read()
            # What a crash tore goes before anything is written after it.
            file.truncate(content.rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)

    def forget(self, before_day: str) -> None:
        """Forget windows of days before one (YYYY-MM-DD); raises OSError."""
        for path in self.root.glob(f"*/*{SUFFIX}"):
            if path.stem < before_day:
                path.unlink(missing_ok=True)

    def _name(self, window: Window) -> Path:
        return self.root / window.region / f"{name_day(window.start_ms)}{SUFFIX}"
