"""Arrow IPC streams of one record batch, with a head in the schema's metadata, read within what their bytes take up."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import msgspec
import pyarrow as pa

from keisan.domain.errors import InvalidInput

Head = TypeVar("Head")
ARROW_TYPE: Final = "application/vnd.apache.arrow.stream"
HEAD_KEY: Final = b"keisan"
# Slots of the tables of Arrow's Message.fbs: where they stand in a table's own list of fields.
_MESSAGE_VERSION_SLOT, _MESSAGE_HEADER_SLOT, _MESSAGE_EXTRA_SLOT = 0, 2, 4
_BATCH_COMPRESSION_SLOT = 3
# Its number in MetadataVersion; earlier ones could name a compression in a message's own metadata.
_VERSION_5 = 4


@contextmanager
def explain_arrow(what: str) -> Iterator[None]:
    """Raise InvalidInput for what Arrow, or a look into its messages, could not read in the block."""
    try:
        yield
    except (pa.ArrowException, EOFError, OSError, struct.error, OverflowError, UnicodeDecodeError) as fault:
        raise InvalidInput(f"expected an Arrow stream of one record batch, got {str(fault)[:200]}", what) from fault


def write_batch(head: object, fields: list[pa.Field], columns: list[pa.Array]) -> bytes:
    """Return a stream of one record batch with its head."""
    schema = pa.schema(fields, metadata={HEAD_KEY: msgspec.json.encode(head)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    body: bytes = sink.getvalue().to_pybytes()
    return body


def read_batch(body: bytes, kind: type[Head], what: str) -> tuple[Head, pa.RecordBatch]:
    """Return head and batch of a stream, the batch checked whole; to be called within `explain_arrow`.

    Raises InvalidInput for another head, for dictionaries, and for compressed buffers: what those unpack to is known only
    once the memory is taken.
    """
    source = pa.BufferReader(body)
    schema = pa.ipc.read_schema(source)
    head = _read_head(schema, kind, what)
    message = pa.ipc.read_message(source)
    if message.type != "record batch":
        raise InvalidInput(f"expected a record batch after the schema, got a {message.type}", what)
    if _is_compressed(memoryview(message.metadata)):
        raise InvalidInput("expected buffers that are not compressed", what)
    batch = pa.ipc.read_record_batch(message, schema)
    batch.validate(full=True)
    return head, batch


def take_column(batch: pa.RecordBatch, name: str, kind: pa.DataType, what: str) -> pa.Array:
    """Return the one column of that name; raises InvalidInput for none, two, another type, or nulls."""
    position = batch.schema.get_field_index(name)
    if position < 0 or batch.schema.field(position).type != kind or batch.column(position).null_count:
        raise InvalidInput(f"expected one column {name} of {kind} without nulls", f"{what}.{name}")
    return batch.column(position)


def _read_head(schema: pa.Schema, kind: type[Head], what: str) -> Head:
    text = (schema.metadata or {}).get(HEAD_KEY)
    if text is None:
        raise InvalidInput(f"expected the schema's metadata to hold {HEAD_KEY.decode()}", f"{what}.head")
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise InvalidInput(f"expected the head of a {what}, got {fault}", f"{what}.head") from fault


def _is_compressed(message: memoryview) -> bool:
    """Tell whether a record batch's message may name a compression; raises struct.error for bytes out of bounds."""
    table = _follow(message, 0)
    version_slot = _find_slot(message, table, _MESSAGE_VERSION_SLOT)
    is_version_5 = version_slot != 0 and struct.unpack_from("<h", message, version_slot)[0] == _VERSION_5
    if not is_version_5 or _find_slot(message, table, _MESSAGE_EXTRA_SLOT) != 0:
        return True
    header_slot = _find_slot(message, table, _MESSAGE_HEADER_SLOT)
    if header_slot == 0:
        return False
    return _find_slot(message, _follow(message, header_slot), _BATCH_COMPRESSION_SLOT) != 0


def _follow(message: memoryview, position: int) -> int:
    (offset,) = struct.unpack_from("<I", message, position)
    return position + int(offset)


def _find_slot(message: memoryview, table: int, slot: int) -> int:
    """Return where a field of a flatbuffers table stands, 0 if it has none."""
    (back,) = struct.unpack_from("<i", message, table)
    fields = table - back
    (size_bytes,) = struct.unpack_from("<H", message, fields)
    place = 4 + 2 * slot
    if place + 2 > size_bytes:
        return 0
    (offset,) = struct.unpack_from("<H", message, fields + place)
    return table + int(offset) if offset else 0
