"""The archive in a folder of files. All that takes long is done in threads, and imported there: many processes never need it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from keisan.domain.archive import AnalysisKey, AnalysisLine, ArchivedRecord, ArchiveFile, ExportFormat
from keisan.domain.errors import LimitExceeded, StorageUnavailable
from keisan.domain.ids import RecordId
from keisan.domain.limits import ANALYSES_AT_ONCE_MAX, ANALYSIS_TIMEOUT_S, EXPORT_TIMEOUT_S, EXPORTS_AT_ONCE_MAX
from keisan.kit.clock import Clock
from keisan.storage.archive_name import digest_files, sweep_folder
from keisan.storage.base_archive import ArchiveSelection
from keisan.storage.interruptible import run_interruptible

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def _run(work: Callable[Arguments, Result], *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
    """Run work in a thread; raises StorageUnavailable for what the disk refuses."""
    try:
        return await asyncio.to_thread(work, *arguments, **options)
    except OSError as fault:
        raise _build_fault(fault) from fault


def _build_fault(fault: OSError) -> StorageUnavailable:
    return StorageUnavailable("the archive's folder cannot be used now", str(fault))


@dataclass(slots=True)
class FolderWriter:
    """Holds a run's records as columns until they are written."""

    root: Path
    tables: "list[pa.Table]" = field(default_factory=list)

    async def add(self, records: Sequence[ArchivedRecord]) -> None:
        """Take records; they need not be in order."""
        if records:
            self.tables.append(await asyncio.to_thread(_build, records))

    async def finish(self, now: datetime) -> Sequence[ArchiveFile]:
        """Write a file for each day; raises StorageUnavailable."""
        tables, self.tables = self.tables, []
        if not tables:
            return []
        return await _run(_write, self.root, tables, now)


@dataclass(slots=True)
class ArchiveFolder:
    """Files under `root`. Analyses wait for their turn, exports are refused beyond their limit."""

    root: Path
    clock: Clock
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ANALYSES_AT_ONCE_MAX))
    _exports_count: int = 0

    def open_writer(self) -> FolderWriter:
        """Return a writer of one run."""
        return FolderWriter(self.root)

    async def merge(self, files: Sequence[ArchiveFile], now: datetime) -> ArchiveFile:
        """Write the records of neighbouring files of one day as one file; raises StorageUnavailable."""
        return await _run(_merge, self.root, files, now)

    async def remove(self, names: Sequence[str]) -> None:
        """Remove files; those that are gone are none."""
        await _run(_remove, self.root, names)

    async def sweep(self, names: Iterable[str], before: datetime) -> int:
        """Remove what is not named and was written before an instant."""
        return await _run(sweep_folder, self.root, frozenset(names), before)

    async def sum(self, selection: ArchiveSelection, keys: Sequence[AnalysisKey]) -> Sequence[AnalysisLine]:
        """Return exact sums; raises LimitExceeded, StorageUnavailable as the contract says."""
        analysis = _Analysis(self.root, selection, keys)
        try:
            async with asyncio.timeout(ANALYSIS_TIMEOUT_S), self._turns:
                return await run_interruptible(analysis.run, analysis.interrupt)
        except TimeoutError as fault:
            raise StorageUnavailable(f"the analysis took longer than {ANALYSIS_TIMEOUT_S} s") from fault
        except OSError as fault:
            raise _build_fault(fault) from fault

    async def export(self, selection: ArchiveSelection, written_as: ExportFormat) -> AsyncGenerator[bytes, None]:
        """Yield a file's bytes; raises LimitExceeded while too many others are, StorageUnavailable after EXPORT_TIMEOUT_S."""
        if self._exports_count >= EXPORTS_AT_ONCE_MAX:
            raise LimitExceeded(f"{EXPORTS_AT_ONCE_MAX} exports are under way; try again when one has ended")
        self._exports_count += 1
        ends_at_s = self.clock.monotonic_s() + EXPORT_TIMEOUT_S
        pieces: Iterator[bytes] = iter(())
        try:
            pieces = await asyncio.to_thread(_export, self.root, selection, written_as)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                if self.clock.monotonic_s() > ends_at_s:
                    raise StorageUnavailable(f"the export took longer than {EXPORT_TIMEOUT_S} s; ask for fewer days")
                yield piece
        finally:
            self._exports_count -= 1

    def read_records(self, files: Sequence[ArchiveFile], first: int, last: int) -> Iterator[ArchivedRecord]:
        """Yield all records of entries `first` to `last`; raises OSError."""
        # As below: only where it is used.
        from keisan.storage import archive_file

        yield from archive_file.read_entries(self.root, files, first, last)

    async def digest(self, files: Sequence[ArchiveFile]) -> Mapping[str, str]:
        """Return the SHA-256 (hex) of the bytes of those files that there are, by name; raises StorageUnavailable."""
        return await _run(digest_files, self.root, [each.name for each in files])

    async def count_ids(self, files: Sequence[ArchiveFile]) -> int:
        """Return how many different record ids these files hold; raises StorageUnavailable."""
        return await _run(_count_ids, self.root, files)

    async def read_part(self, file: ArchiveFile, start: int, most: int) -> Sequence[ArchivedRecord]:
        """Return some of a file's records; raises StorageUnavailable."""
        return await _run(_read_part, self.root, file, start, most)

    async def read_entries(self, files: Sequence[ArchiveFile], first: int, last: int) -> Sequence[ArchivedRecord]:
        """Return all records of some entries; raises StorageUnavailable."""
        return await _run(_read_entries, self.root, files, first, last)

    async def find_record(self, files: Sequence[ArchiveFile], record_id: RecordId) -> ArchivedRecord | None:
        """Return the record with an id; raises StorageUnavailable."""
        async with self._turns:
            return await _run(_find_record, self.root, files, record_id)


@dataclass(slots=True)
class _Analysis:
    """One sum, run in a thread and interrupted from another."""

    root: Path
    selection: ArchiveSelection
    keys: Sequence[AnalysisKey]
    engine: "duckdb.DuckDBPyConnection | None" = None

    def run(self) -> Sequence[AnalysisLine]:
        # DuckDB takes a quarter of a second to import, and only who analyses needs it.
        from keisan.storage import archive_query

        with archive_query.open_engine(self.root) as engine:
            self.engine = engine
            try:
                return archive_query.sum_records(engine, self.root, self.selection, self.keys)
            finally:
                self.engine = None

    def interrupt(self) -> None:
        engine = self.engine
        if engine is not None:
            engine.interrupt()


def _build(records: Sequence[ArchivedRecord]) -> "pa.Table":
    # pyarrow takes a quarter of a second to import, and a platform answers before its first file is due.
    from keisan.storage import archive_schema

    return archive_schema.build_table(records)


def _write(root: Path, tables: "Sequence[pa.Table]", now: datetime) -> Sequence[ArchiveFile]:
    # As above.
    from keisan.storage import archive_file

    return archive_file.write_days(root, tables, now)


def _merge(root: Path, files: Sequence[ArchiveFile], now: datetime) -> ArchiveFile:
    # As above.
    from keisan.storage import archive_file

    return archive_file.merge_files(root, files, now)


def _count_ids(root: Path, files: Sequence[ArchiveFile]) -> int:
    # As above.
    from keisan.storage import archive_part

    return archive_part.count_ids(root, files)


def _read_part(root: Path, file: ArchiveFile, start: int, most: int) -> Sequence[ArchivedRecord]:
    # As above.
    from keisan.storage import archive_part

    return archive_part.read_part(root, file, start, most)


def _read_entries(root: Path, files: Sequence[ArchiveFile], first: int, last: int) -> Sequence[ArchivedRecord]:
    # As above.
    from keisan.storage import archive_part

    return archive_part.read_entries(root, files, first, last)


def _find_record(root: Path, files: Sequence[ArchiveFile], record_id: RecordId) -> ArchivedRecord | None:
    # As above.
    from keisan.storage import archive_part

    return archive_part.find_record(root, files, record_id)


def _remove(root: Path, names: Sequence[str]) -> None:
    for name in names:
        (root / name).unlink(missing_ok=True)


def _export(root: Path, selection: ArchiveSelection, written_as: ExportFormat) -> Iterator[bytes]:
    # As above.
    from keisan.storage import archive_export

    return archive_export.export_records(root, selection, written_as)
