"""Writes and reads the archive's files: Parquet, zstd, one day each, put in place whole and on the disk.

A file's name is made of what is in it, so that whoever writes the same records again replaces the same file.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keisan.domain.archive import ArchivedRecord, ArchiveFile
from keisan.domain.errors import InvariantBroken
from keisan.kit.ids import create_id
from keisan.kit.private_file import create_private_folder, sync_folder
from keisan.storage.archive_name import PARTIAL_SUFFIX, name_before, name_file
from keisan.storage.archive_schema import DICTIONARY_NAMES, NAMES, SCHEMA, read_table, sort_table, unwrap

ROW_GROUP_RECORDS = 122_880
READ_RECORDS = 10_000


def write_days(root: Path, tables: Sequence[pa.Table], now: datetime) -> list[ArchiveFile]:
    """Write the records of tables as one file for each day; raises OSError."""
    whole = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
    days = sorted(pc.unique(whole["day"]).to_pylist())
    return [_write_day(root, day, whole.filter(pc.equal(whole["day"], day)), now) for day in days]


def _write_day(root: Path, day: date, table: pa.Table, now: datetime) -> ArchiveFile:
    first, last = _find_range(table)
    name = name_file(day, first, last) if first else name_before(day, pc.min(unwrap(table["id"])).as_py())
    groups = (sort_table(table.slice(start, ROW_GROUP_RECORDS)) for start in range(0, len(table), ROW_GROUP_RECORDS))
    size_bytes = _write_file(root / name, groups)
    return ArchiveFile(name, day, first, last, len(table), size_bytes, now)


def merge_files(root: Path, files: Sequence[ArchiveFile], now: datetime) -> ArchiveFile:
    """Write the records of files of one day as one file; raises OSError, and InvariantBroken if one lost records."""
    day = files[0].day
    first, last = min(each.first_sequence for each in files), max(each.last_sequence for each in files)
    name = name_file(day, first, last)
    expected = sum(each.record_count for each in files)

    def list_groups() -> Iterator[pa.Table]:
        count = 0
        for group in _group_records(root, files):
            count += len(group)
            yield sort_table(group)
        # Before the file is in its place.
        if count != expected:
            raise InvariantBroken("a file of the archive lost records", f"{name}: expected {expected}, got {count}")

    size_bytes = _write_file(root / name, list_groups())
    return ArchiveFile(name, day, first, last, expected, size_bytes, now)


def _group_records(root: Path, files: Sequence[ArchiveFile]) -> Iterator[pa.Table]:
    """Yield the records of files in tables of ROW_GROUP_RECORDS, the last one shorter; holds two of them at most."""
    held: list[pa.Table] = []
    count = 0
    for table in (table for each in files for table in _read_tables(root / each.name)):
        held.append(table)
        count += len(table)
        if count >= ROW_GROUP_RECORDS:
            whole = pa.concat_tables(held)
            yield whole.slice(0, ROW_GROUP_RECORDS)
            held = [whole.slice(ROW_GROUP_RECORDS)]
            count -= ROW_GROUP_RECORDS
    if count:
        yield pa.concat_tables(held)


def _read_tables(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(READ_RECORDS, columns=list(NAMES)):
            yield pa.Table.from_batches([batch]).cast(SCHEMA)


def read_entries(root: Path, files: Iterable[ArchiveFile], first: int, last: int) -> Iterator[ArchivedRecord]:
    """Yield the records of entries `first` to `last`; 0 stands for before the journal."""
    for each in files:
        for table in _read_tables(root / each.name):
            sequence = pc.fill_null(table["entry_sequence"], 0)
            yield from read_table(table.filter(pc.and_(pc.less_equal(first, sequence), pc.less_equal(sequence, last))))


def _find_range(table: pa.Table) -> tuple[int, int]:
    bounds = pc.min_max(pc.fill_null(table["entry_sequence"], 0)).as_py()
    return bounds["min"], bounds["max"]


def _write_file(path: Path, groups: Iterable[pa.Table]) -> int:
    """Put a file in place, whole and on the disk, and return how many bytes it has."""
    create_private_folder(path.parent)
    # A name of its own: who has lost the lease may still be writing the same records.
    partial = path.with_name(f".{path.name}.{create_id().hex}{PARTIAL_SUFFIX}")
    with partial.open("xb") as sink:
        with pq.ParquetWriter(sink, SCHEMA, compression="zstd", use_dictionary=DICTIONARY_NAMES) as writer:
            for group in groups:
                writer.write_table(group, row_group_size=ROW_GROUP_RECORDS)
        sink.flush()
        os.fsync(sink.fileno())
        size_bytes = sink.tell()
    partial.rename(path)
    # The folders too, or a new one could be gone with its file after a power cut.
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        sync_folder(folder)
    return size_bytes
