"""Writes archived records as a file for somebody else: CSV, JSON lines or Parquet, piece by piece.

Who sees a record sees these columns of it: what the API shows of a record, and no more. Amounts are text in CSV and JSON,
as everywhere on the wire, so that no reader makes floats of them.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from keisan.domain.archive import ExportFormat
from keisan.domain.errors import StorageUnavailable
from keisan.domain.limits import EXPORT_BATCH_RECORDS_MAX
from keisan.storage.archive_query import open_engine, select_records
from keisan.storage.archive_schema import SCHEMA
from keisan.storage.base_archive import ArchiveSelection
from keisan.storage.usage_table import CONTEXT_FIELDS, QUANTITY_COLUMNS

EXPORT_NAMES = (
    "id",
    "day",
    "admitted_at",
    *CONTEXT_FIELDS,
    "chip",
    "surface",
    "is_stream",
    "duration_us",
    "first_byte_us",
    "outcome",
    "http_status",
    "usage_source",
    *QUANTITY_COLUMNS.values(),
    "currency",
    "amount_nano",
    "request_bytes",
    "response_bytes",
    "event_count",
    "ticket_id",
    "entry_id",
    "entry_sequence",
)
# As text: an instant in ISO 8601, in UTC, and an amount in all its digits.
TEXTS: Mapping[str, str] = {
    "admitted_at": "strftime(make_timestamp(epoch_us(admitted_at)), '%Y-%m-%dT%H:%M:%S.%fZ')",
    "amount_nano": "CAST(amount_nano AS VARCHAR)",
    **{name: f"CAST({name} AS VARCHAR)" for name in EXPORT_NAMES if SCHEMA.field(name).type == pa.uuid()},
}
TEXT_COLUMNS = [(name, TEXTS.get(name, name)) for name in EXPORT_NAMES]
COLUMNS: Mapping[ExportFormat, str] = {
    ExportFormat.CSV: ", ".join(f"{text} AS {name}" for name, text in TEXT_COLUMNS),
    ExportFormat.JSONL: "CAST(to_json(struct_pack("
    + ", ".join(f"{name} := {text}" for name, text in TEXT_COLUMNS)
    + ")) AS VARCHAR) AS line",
    ExportFormat.PARQUET: ", ".join(EXPORT_NAMES),
}
EXPORT_SCHEMA = pa.schema([SCHEMA.field(name) for name in EXPORT_NAMES])


def export_records(root: Path, selection: ArchiveSelection, written_as: ExportFormat) -> Iterator[bytes]:
    """Yield a file's bytes; raises StorageUnavailable, also in the midst of it."""
    try:
        with _open_batches(root, selection, written_as) as batches:
            match written_as:
                case ExportFormat.CSV:
                    yield from _write_csv(batches)
                case ExportFormat.JSONL:
                    yield from ("".join(f"{line}\n" for line in each["line"].to_pylist()).encode() for each in batches)
                case ExportFormat.PARQUET:
                    yield from _write_parquet(batches)
    except (duckdb.Error, OSError, pa.ArrowException) as fault:
        raise StorageUnavailable("the archive cannot be read now", str(fault)) from fault


@contextmanager
def _open_batches(
    root: Path, selection: ArchiveSelection, written_as: ExportFormat
) -> Iterator[Iterator[pa.RecordBatch]]:
    if not selection.files:
        yield iter(())
        return
    rest, values = select_records(root, selection)
    with open_engine(root, has_ids=written_as is ExportFormat.PARQUET) as engine:
        # As a relation: what is executed is held whole.
        found = engine.sql(f"SELECT {COLUMNS[written_as]} {rest}", params=values)  # texts of these files only
        yield iter(found.to_arrow_reader(EXPORT_BATCH_RECORDS_MAX))


def _write_csv(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    yield (",".join(EXPORT_NAMES) + "\n").encode()
    for batch in batches:
        sink = io.BytesIO()
        pc.write_csv(batch, sink, pc.WriteOptions(include_header=False, quoting_style="needed"))
        yield sink.getvalue()


class _Spout:
    """A file that is written to its end and handed on as it grows: it keeps what was not yet taken."""

    closed = False

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, content: bytes) -> int:
        self._held.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Keep what is held: it is taken, not written."""

    def take(self) -> bytes:
        taken, self._held = b"".join(self._held), []
        return taken


def _write_parquet(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    spout = _Spout()
    writer = pq.ParquetWriter(pa.PythonFile(spout, mode="w"), EXPORT_SCHEMA, compression="zstd")
    for batch in batches:
        writer.write_batch(batch.cast(EXPORT_SCHEMA))
        if piece := spout.take():
            yield piece
    writer.close()
    yield spout.take()
