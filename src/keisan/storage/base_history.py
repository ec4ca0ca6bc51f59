"""History's part of the storage contract: the journal of accepted frames, and blocks of rows in files, the files.

Kept apart from base.py for its length only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keisan.domain.history import (
    FrameOrigin,
    HistoryFile,
    InventoryNote,
    Manifest,
    SequenceRanges,
    Tier,
    Window,
    find_window,
)
from keisan.domain.history_question import HistoryPlan, HistoryQuestion
from keisan.domain.sample import FrameHead
from keisan.wire.frame import Numbers, Values
from keisan.wire.inventory import Inventory

Column = npt.NDArray[np.signedinteger[Any]]
Instants = npt.NDArray[np.int64]
# Files hold blocks one after another; none is larger than so many devices times the steps of its file.
BLOCK_DEVICES: Final = 256


@dataclass(frozen=True, slots=True)
class JournalFrame:
    """A frame that was accepted; `values` is [fields, devices] in the order of SampleName, MISSING where not known."""

    origin: FrameOrigin
    head: FrameHead
    numbers: Numbers
    values: Values

    @property
    def window(self) -> Window:
        """Return the window that it belongs to."""
        return find_window(self.origin.region, self.head.sampled_at_ms)

    @property
    def size_bytes(self) -> int:
        """Return how much memory its columns take."""
        return int(self.numbers.nbytes + self.values.nbytes)


@dataclass(frozen=True, slots=True, order=True)
class BlockKey:
    """Whose rows a block has: of devices `place` x BLOCK_DEVICES and following of an inventory. Files are in this order."""

    site: str
    incarnation: str
    place: int


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of some devices in order of device and time. `columns` has an array by name, MISSING where nothing is known.

    Of samples `at_ms` is their stamp, of a roll-up its step's begin.
    """

    key: BlockKey
    numbers: Numbers
    at_ms: Instants
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, chosen: npt.NDArray[np.intp] | slice) -> "Block":
        """Return some of the rows."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return Block(self.key, self.numbers[chosen], self.at_ms[chosen], columns)


@dataclass(frozen=True, slots=True)
class JournalFile:
    """A file that nothing is appended to any more."""

    path: Path
    window: Window


class FramePlace(Protocol):
    """A frame in a closed file of the journal."""

    @property
    def origin(self) -> FrameOrigin: ...
    @property
    def head(self) -> FrameHead: ...
    @property
    def device_count(self) -> int: ...
    def read(self) -> JournalFrame:
        """Return the frame; raises OSError."""
        ...


class FrameJournal(Protocol):
    """Where frames are on the disk until their window is folded into files. Its calls block: they belong in a thread."""

    def write(self, frames: Sequence[JournalFrame]) -> int:
        """Append frames and return how many bytes they took; raises OSError, and then keeps none of the one that failed."""
        ...

    def sync(self) -> None:
        """Return once all that was appended is on the disk; raises OSError."""
        ...

    def close_due(self) -> None:
        """Close the files of windows that are over; one that late frames come for takes them for JOURNAL_LATE_S."""
        ...

    def list_closed(self) -> Sequence[JournalFile]:
        """Return files that nothing is appended to any more, the oldest window first."""
        ...

    def list_frames(self, file: JournalFile) -> Iterator[FramePlace]:
        """Yield a closed file's frames, each checked and not yet read; raises OSError."""
        ...

    def remove(self, files: Sequence[JournalFile]) -> None:
        """Remove closed files; those that are gone are none. Raises OSError."""
        ...

    def close(self) -> None:
        """Close all files; raises OSError."""
        ...

    def count_bytes(self) -> int:
        """Return how much of the disk the journal takes."""
        ...


class SeenFrames(Protocol):
    """Which frames were folded: of each window the sequences of each site and incarnation. Its calls block."""

    def find(self, window: Window) -> Mapping[tuple[str, str], SequenceRanges]:
        """Return what was folded into a window; raises OSError."""
        ...

    def add(self, window: Window, frames: Iterable[FramePlace]) -> None:
        """Note frames, on the disk when it returns; twice is once. Raises OSError."""
        ...

    def forget(self, before_day: str) -> None:
        """Forget windows of days before one (YYYY-MM-DD); raises OSError."""
        ...


class BlockWriter(Protocol):
    """A file in the making."""

    row_count: int

    def add(self, block: Block) -> None:
        """Take a block, after all that are before it; raises OSError."""
        ...


class HistoryStore(Protocol):
    """Where history's files and manifests are. Its calls block: they belong in a thread. All raise OSError."""

    def list_manifests(self) -> Sequence[Manifest]: ...
    def put_manifest(self, manifest: Manifest) -> None:
        """Replace a month's manifest, whole and on the disk when it returns."""
        ...

    def open_file(self, tier: Tier) -> BlockWriter: ...
    def put_file(self, file: BlockWriter, region: str, start_ms: int) -> tuple[str, int]:
        """Close a file, put it in its place, whole and on the disk, and return its name and bytes."""
        ...

    def discard_file(self, file: BlockWriter) -> None:
        """Close a file and remove it."""
        ...

    def put_document(self, name: str, content: bytes) -> None:
        """Keep a text under a name, in place of what is there, whole and on the disk when it returns."""
        ...

    def find_documents(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return those of these texts that there are, by name."""
        ...

    def list_notes(self) -> Sequence[InventoryNote]: ...
    def put_inventory(self, note: InventoryNote, inventory: Inventory) -> InventoryNote:
        """Keep an inventory in place of an older one of its incarnation; return its note with what it takes."""
        ...

    def remove_inventories(self, notes: Iterable[InventoryNote]) -> None:
        """Remove inventories; those that are gone are none."""
        ...

    def read_blocks(self, file: HistoryFile) -> Iterator[Block]:
        """Yield a file's blocks in order of their keys."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone are none."""
        ...

    def sweep(self, names: Iterable[str], before: datetime) -> int:
        """Remove what is not named and was written before an instant, and return how many files that were."""
        ...


@dataclass(frozen=True, slots=True)
class HistorySelection:
    """Rows of some files, all stamped from `since_ms` to before `until_ms`, as a plan wants them.

    `sites` None is all sites. `notes` are of the inventories of all sites that may be in it.
    """

    question: HistoryQuestion
    plan: HistoryPlan
    files: Sequence[HistoryFile]
    notes: Sequence[InventoryNote]


class HistoryReader(Protocol):
    """Answers from files, in a thread."""

    async def read(self, selection: HistorySelection) -> pa.Table:
        """Return rows in order of time and group.

        Cancelled, it ends when its thread has, which is soon. Raises LimitExceeded for more than QUERY_ROWS_MAX, or sums of
        more than 63 bits, StorageUnavailable if a file cannot be read.
        """
        ...
