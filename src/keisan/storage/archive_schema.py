"""The columns of an archived record, and how records become columns and come back.

Columns are named as the database's. Ids are of Parquet's logical type UUID, which DuckDB compares as numbers; what few
values have is dictionary-encoded. Imported only where files are written or read: pyarrow takes a quarter of a second.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from keisan.domain.archive import ArchivedRecord
from keisan.domain.model import Surface
from keisan.domain.usage import CallOutcome, UsageContext, UsageSource
from keisan.storage.schema import EXACT_DIGITS_MAX
from keisan.storage.usage_table import (
    CONTEXT_FIELDS,
    QUANTITY_COLUMNS,
    RECORD_FIELDS,
    SPLIT_FIELDS,
    to_context,
    to_posted,
)

ID_BYTES = 16
DIGEST_BYTES = 32
AMOUNT = pa.decimal128(EXACT_DIGITS_MAX, 0)
INSTANT = pa.timestamp("us", tz="UTC")
WORD = pa.dictionary(pa.int32(), pa.string())
NULLABLE = frozenset({"entry_sequence", "entry_id", "first_byte_us", "ticket_id", *QUANTITY_COLUMNS.values()})
SHARED_NAMES = (*CONTEXT_FIELDS, "currency", "chip")
WORD_TYPES = {"surface": Surface, "outcome": CallOutcome, "usage_source": UsageSource}
AMOUNT_NAMES = ("amount_nano", *SPLIT_FIELDS)
OWN_TYPES: Mapping[str, pa.DataType] = {
    "day": pa.date32(),
    "is_stream": pa.bool_(),
    "admitted_at": INSTANT,
    "http_status": pa.int32(),
    "content_digest": pa.binary(DIGEST_BYTES),
    **dict.fromkeys(AMOUNT_NAMES, AMOUNT),
    **dict.fromkeys((*WORD_TYPES, "platform_id", "model_digest", "currency", "chip"), WORD),
}
NAMES = ("entry_sequence", "entry_id", *RECORD_FIELDS, *QUANTITY_COLUMNS.values(), *SPLIT_FIELDS, *SHARED_NAMES)
# Of few values within a row group each; the rest would only fill a dictionary and be written plain after all.
DICTIONARY_NAMES = ["entry_sequence", "entry_id", "day", "http_status", *WORD_TYPES, *SHARED_NAMES]
SORTED_BY = (("organization_id", "ascending"), ("admitted_at", "ascending"))

_read_context = attrgetter(*CONTEXT_FIELDS)
_read_record = attrgetter(*RECORD_FIELDS)


def _is_id(name: str) -> bool:
    return name == "id" or (name.endswith("_id") and name != "platform_id")


def _choose_type(name: str) -> pa.DataType:
    return pa.uuid() if _is_id(name) else OWN_TYPES.get(name, pa.int64())


SCHEMA = pa.schema([pa.field(name, _choose_type(name), nullable=name in NULLABLE) for name in NAMES])


def build_table(records: Sequence[ArchivedRecord]) -> pa.Table:
    """Return records as a table; what many of them share is turned once."""
    places: dict[tuple[UsageContext, str, str], int] = {}
    shared_places = [
        places.setdefault(
            (each.posted.record.context, each.posted.charge.currency, each.posted.charge.chip), len(places)
        )
        for each in records
    ]
    shared = pa.table(
        dict(
            zip(
                SHARED_NAMES,
                _build_columns(SHARED_NAMES, [(*_read_context(context), *rest) for context, *rest in places]),
                strict=True,
            )
        )
    ).take(pa.array(shared_places, pa.int64()))
    own_names = NAMES[: -len(SHARED_NAMES)]
    own = _build_columns(own_names, [_list_own(each) for each in records])
    columns = dict(zip(own_names, own, strict=True)) | dict(zip(SHARED_NAMES, shared.columns, strict=True))
    return pa.table([columns[name] for name in NAMES], schema=SCHEMA)


def _list_own(archived: ArchivedRecord) -> tuple[object, ...]:
    record, charge = archived.posted.record, archived.posted.charge
    quantities = [record.quantities.get(token_class) for token_class in QUANTITY_COLUMNS]
    own = (archived.sequence, charge.entry_id, *_read_record(record))
    return (*own, *quantities, charge.provider_nano, charge.tax_nano)


def _build_columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> list[pa.Array]:
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return [_build_column(name, values) for name, values in zip(names, columns, strict=True)]


def _build_column(name: str, values: Sequence[Any]) -> pa.Array:
    if _is_id(name):
        ids = [None if value is None else value.bytes for value in values]
        return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(ids, pa.binary(ID_BYTES)))
    kind = _choose_type(name)
    if kind == WORD:
        return pa.array([str(value) for value in values], pa.string()).dictionary_encode()
    return pa.array(values, kind)


def sort_table(table: pa.Table) -> pa.Table:
    """Return the rows in the order of a row group: who reads one organization's skips the others'."""
    # An extension type has no order of its own.
    places = pa.table({"organization_id": unwrap(table["organization_id"]), "admitted_at": table["admitted_at"]})
    return table.take(pc.sort_indices(places, sort_keys=list(SORTED_BY)))


def unwrap(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of ids as their bytes."""
    return pa.chunked_array([chunk.storage for chunk in column.chunks], pa.binary(ID_BYTES))


def read_table(table: pa.Table) -> Iterator[ArchivedRecord]:
    """Yield the records of a table that build_table made."""
    converters: dict[str, Callable[[Any], object]] = {**WORD_TYPES, **dict.fromkeys(AMOUNT_NAMES, int)}
    for row in table.to_pylist():
        for name, convert in converters.items():
            row[name] = convert(row[name])
        yield ArchivedRecord(row["entry_sequence"], to_posted(row, to_context(row)))
