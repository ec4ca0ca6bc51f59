"""Inventories beside history's files: which device had which number, so that files alone can be read years later.

One Parquet file for each site and incarnation, replaced as it grows.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keisan.domain.history import InventoryNote
from keisan.wire.inventory import Inventory

FOLDER: Final = "inventory"
NOTE_KEY: Final = b"keisan"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TEXT: Final = pa.dictionary(pa.int32(), pa.utf8())
SCHEMA: Final = pa.schema(
    [
        pa.field("site", _TEXT, nullable=False),
        pa.field("incarnation", _TEXT, nullable=False),
        pa.field("device", pa.uint32(), nullable=False),
        pa.field("hardware_id", pa.utf8(), nullable=False),
        pa.field("node", _TEXT, nullable=False),
        pa.field("chip", _TEXT, nullable=False),
        pa.field("name", _TEXT, nullable=False),
        pa.field("supernode", _TEXT),
        pa.field("memory_mib", pa.int32(), nullable=False),
        pa.field("is_retired", pa.bool_(), nullable=False),
    ]
)


def name_inventory(site: str, incarnation: str) -> str:
    """Return where a site's inventory of an incarnation is."""
    is_plain = _PLAIN.fullmatch(incarnation)
    return f"{FOLDER}/site={site}/{incarnation if is_plain else sha256(incarnation.encode()).hexdigest()}.parquet"


def write_inventory(path: Path, note: InventoryNote, inventory: Inventory) -> None:
    """Write an inventory with its note; raises OSError."""
    count, head = inventory.device_count, inventory.head
    supernodes = [each.name for each in head.supernodes]
    columns = [
        _repeat(note.site, count),
        _repeat(note.incarnation, count),
        pa.array(range(count), pa.uint32()),
        inventory.hardware_ids,
        pa.DictionaryArray.from_arrays(pa.array(inventory.node, pa.int32()), pa.array(head.nodes, pa.utf8())),
        pa.DictionaryArray.from_arrays(pa.array(inventory.chip, pa.int32()), pa.array(head.chips, pa.utf8())),
        pa.DictionaryArray.from_arrays(pa.array(inventory.name, pa.int32()), pa.array(head.names, pa.utf8())),
        pa.DictionaryArray.from_arrays(
            pa.array(inventory.supernode, pa.int32(), mask=inventory.supernode < 0), pa.array(supernodes, pa.utf8())
        ),
        pa.array(inventory.memory_mib, pa.int32()),
        pa.array(inventory.is_retired, pa.bool_()),
    ]
    table = pa.table(columns, schema=SCHEMA.with_metadata({NOTE_KEY: msgspec.json.encode(note)}))
    pq.write_table(table, path, compression="zstd")


def _repeat(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text], pa.utf8()))


def read_note(file: pa.NativeFile) -> InventoryNote:
    """Return the note of an inventory's file; raises OSError."""
    with pq.ParquetFile(file) as source:
        return msgspec.json.decode(source.schema_arrow.metadata[NOTE_KEY], type=InventoryNote)


def read_inventory(file: pa.NativeFile) -> pa.Table:
    """Return an inventory's rows as SCHEMA has them; raises OSError."""
    table: pa.Table = pq.read_table(file)
    return table.cast(SCHEMA)
