"""The archive's part of the storage contract: its cursor and list of files in the database, and the files themselves.

Kept apart from base.py for its length only. Who reads files takes their list from one read view: the list is the truth,
so a file that is being written, or was merged into another, is in it or is not, whole.
"""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.archive import (
    AnalysisKey,
    AnalysisLine,
    ArchiveCursor,
    ArchivedRecord,
    ArchiveFile,
    ExportFormat,
    PendingEntry,
)
from keisan.domain.ids import RecordId


@dataclass(frozen=True, slots=True)
class ArchiveSelection:
    """Records of some files, of days `since` to `until`, both included, within a scope."""

    scope: Scope
    files: Sequence[ArchiveFile]
    since: date
    until: date


class ArchiveRepository(Protocol):
    """The cursor and the list of files; both are the platform's own and tell nothing of anybody's records."""

    async def get_cursor(self) -> ArchiveCursor: ...
    async def put_cursor(self, cursor: ArchiveCursor) -> None: ...
    async def list_pending(self, after_sequence: int, limit: int) -> Sequence[PendingEntry]:
        """Return entries in order of sequence, after the given one."""
        ...

    async def has_pending_records(self, after_sequence: int) -> bool:
        """Tell whether an entry after the given one has records."""
        ...

    async def list_records(self, scope: Scope, entries: Sequence[PendingEntry]) -> Sequence[ArchivedRecord]:
        """Return all records of these entries; raises InvariantBroken unless each has as many as it says."""
        ...

    async def list_before(self, scope: Scope, cursor: ArchiveCursor, limit: int) -> Sequence[ArchivedRecord]:
        """Return records of before the journal in order of day and id, after those that are archived."""
        ...

    async def list_day(self, scope: Scope, day: date, ids: Sequence[RecordId]) -> Sequence[ArchivedRecord]:
        """Return those records of a day that are stored and have one of these ids, in no order."""
        ...

    async def list_files(self, since: date, until: date) -> Sequence[ArchiveFile]:
        """Return the files of days `since` to `until`, both included, by day and sequence."""
        ...

    async def list_names(self) -> Sequence[str]:
        """Return the names of all files, replaced ones too."""
        ...

    async def list_mergeable(self, days_max: int) -> Sequence[ArchiveFile]:
        """Return all files of the newest days that have enough small ones to be worth a look."""
        ...

    async def list_replaced(self) -> Sequence[ArchiveFile]: ...
    async def add_files(self, files: Sequence[ArchiveFile]) -> None: ...
    async def mark_replaced(self, files: Sequence[ArchiveFile], now: datetime) -> None:
        """Take files out of the list; raises InvariantBroken if one is not in it."""
        ...

    async def put_digests(self, digests: Mapping[str, str]) -> None:
        """Note the digests of files by name; raises InvariantBroken if one is not listed."""
        ...

    async def delete_files(self, names: Iterable[str]) -> None:
        """Forget files that were replaced."""
        ...


class ArchiveWriter(Protocol):
    """Takes the records of one run, and writes them as a file for each day."""

    async def add(self, records: Sequence[ArchivedRecord]) -> None: ...
    async def finish(self, now: datetime) -> Sequence[ArchiveFile]:
        """Write and sync; the same records make files of the same names, in place of what is there."""
        ...


class Archive(Protocol):
    """The files. Nothing here holds up the event loop; StorageUnavailable says that the disk did not do its part."""

    def open_writer(self) -> ArchiveWriter: ...
    async def merge(self, files: Sequence[ArchiveFile], now: datetime) -> ArchiveFile:
        """Write the records of neighbouring files of one day as one file, and leave those as they are."""
        ...

    async def remove(self, names: Sequence[str]) -> None: ...
    async def sweep(self, names: Iterable[str], before: datetime) -> int:
        """Remove what is in no list and was written before an instant, and return how many files that were."""
        ...

    async def sum(self, selection: ArchiveSelection, keys: Sequence[AnalysisKey]) -> Sequence[AnalysisLine]:
        """Return exact sums by these keys and currency, in order of them.

        Raises LimitExceeded for more than ANALYSIS_LINES_MAX lines, StorageUnavailable after ANALYSIS_TIMEOUT_S.
        """
        ...

    def export(self, selection: ArchiveSelection, written_as: ExportFormat) -> AsyncGenerator[bytes, None]:
        """Return the records as a file's bytes, piece by piece, in memory that does not grow with their number."""
        ...

    def read_records(self, files: Sequence[ArchiveFile], first: int, last: int) -> Iterator[ArchivedRecord]:
        """Yield all records of entries `first` to `last`, in no order: for an audit, which reads in a thread of its own."""
        ...

    async def digest(self, files: Sequence[ArchiveFile]) -> Mapping[str, str]:
        """Return the SHA-256 (hex) of the bytes of those files that there are, by name."""
        ...

    async def count_ids(self, files: Sequence[ArchiveFile]) -> int:
        """Return how many different record ids these files of one day hold."""
        ...

    async def read_part(self, file: ArchiveFile, start: int, most: int) -> Sequence[ArchivedRecord]:
        """Return at most so many of a file's records, from one of its places on; fewer only where a part of the file ends."""
        ...

    async def read_entries(self, files: Sequence[ArchiveFile], first: int, last: int) -> Sequence[ArchivedRecord]:
        """Return all records of entries `first` to `last` that these files hold, in no order; 0 is before the journal."""
        ...

    async def find_record(self, files: Sequence[ArchiveFile], record_id: RecordId) -> ArchivedRecord | None:
        """Return the record with an id."""
        ...
