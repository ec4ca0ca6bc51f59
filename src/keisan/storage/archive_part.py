"""Reads parts of the archive's files: some records, those of some entries, or one. What cannot be in a row group is skipped.

A file that is no Parquet file any more, or a torn one, is an OSError here: its reader cannot go on, whatever the reason is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keisan.domain.archive import ArchivedRecord, ArchiveFile
from keisan.domain.ids import RecordId
from keisan.storage.archive_schema import ID_BYTES, NAMES, SCHEMA, read_table, unwrap

SEQUENCE_NAME = "entry_sequence"


@contextmanager
def _open_file(root: Path, file: ArchiveFile) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(root / file.name) as opened:
            yield opened
    except pa.ArrowException as fault:
        raise OSError(f"{file.name} cannot be read: {fault}") from fault


def _read_group(opened: pq.ParquetFile, place: int, names: Sequence[str] = NAMES) -> pa.Table:
    found = opened.read_row_group(place, columns=list(names))
    return found.cast(pa.schema([SCHEMA.field(name) for name in names]))


def read_part(root: Path, file: ArchiveFile, start: int, most: int) -> list[ArchivedRecord]:
    """Return at most so many records from a place on, of one row group; none at the end. Raises OSError."""
    with _open_file(root, file) as opened:
        begins_at = 0
        for place in range(opened.num_row_groups):
            count = opened.metadata.row_group(place).num_rows
            if start < begins_at + count:
                return list(read_table(_read_group(opened, place).slice(start - begins_at, most)))
            begins_at += count
    return []


def count_ids(root: Path, files: Sequence[ArchiveFile]) -> int:
    """Return how many different record ids these files hold; raises OSError."""
    columns: list[pa.ChunkedArray] = []
    for each in files:
        with _open_file(root, each) as opened:
            columns += [unwrap(_read_group(opened, place, ["id"])["id"]) for place in range(opened.num_row_groups)]
    chunks = [chunk for column in columns for chunk in column.chunks]
    return int(pc.count_distinct(pa.chunked_array(chunks, pa.binary(ID_BYTES))).as_py())


def read_entries(root: Path, files: Sequence[ArchiveFile], first: int, last: int) -> list[ArchivedRecord]:
    """Return the records of entries `first` to `last`, 0 for before the journal; raises OSError."""
    found: list[ArchivedRecord] = []
    for each in files:
        if each.last_sequence < first or each.first_sequence > last:
            continue
        with _open_file(root, each) as opened:
            for place in range(opened.num_row_groups):
                if _may_hold(opened, place, first, last):
                    table = _read_group(opened, place)
                    sequence = pc.fill_null(table[SEQUENCE_NAME], 0)
                    is_wanted = pc.and_(pc.less_equal(first, sequence), pc.less_equal(sequence, last))
                    found += read_table(table.filter(is_wanted))
    return found


def _may_hold(opened: pq.ParquetFile, place: int, first: int, last: int) -> bool:
    statistics = opened.metadata.row_group(place).column(NAMES.index(SEQUENCE_NAME)).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    # A record of before the journal has none: statistics leave it out.
    return bool((statistics.null_count and first <= 0) or (statistics.min <= last and statistics.max >= first))


def find_record(root: Path, files: Sequence[ArchiveFile], record_id: RecordId) -> ArchivedRecord | None:
    """Return the record with an id; raises OSError."""
    for each in files:
        with _open_file(root, each) as opened:
            for place in range(opened.num_row_groups):
                ids = unwrap(_read_group(opened, place, ["id"])["id"])
                index = pc.index(ids, pa.scalar(record_id.bytes, pa.binary(ID_BYTES))).as_py()
                if index >= 0:
                    (found,) = read_table(_read_group(opened, place).slice(index, 1))
                    return found
    return None
