"""A site's inventory on the wire: what is told of its devices once, so that frames need only carry their numbers.

A row's place is its device's dense number. Columns `node`, `chip`, `name` and `supernode` are places in the head's lists,
-1 in `supernode` is none; a device that is gone keeps its row with `is_retired`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keisan.domain.errors import InvalidInput
from keisan.domain.inventory import InventoryHead, is_incarnation, is_inventory_text
from keisan.domain.limits import FRAME_DEVICES_MAX
from keisan.domain.supernode import LINKS_MAX, MEMBERS_MAX
from keisan.wire.arrow import explain_arrow, read_batch, take_column, write_batch

Places = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
VERSION_END = 2**62
_KEPT_CODEC = "zstd"
_LENGTH_BYTES = 8
_PLACES = {"node": 0, "chip": 0, "name": 0, "supernode": -1}


@dataclass(frozen=True, slots=True)
class Inventory:
    """`hardware_ids` is an Arrow array of texts, all different; memory is in MiB, 0 where it is not known."""

    head: InventoryHead
    hardware_ids: pa.StringArray
    node: Places
    chip: Places
    name: Places
    supernode: Places
    memory_mib: Places
    is_retired: Flags

    @property
    def device_count(self) -> int:
        """How many numbers have been given, to devices that are gone too."""
        return len(self.hardware_ids)


def encode_inventory(inventory: Inventory) -> bytes:
    """Return an inventory's bytes, the same for the same inventory."""
    columns = {
        "hardware_id": inventory.hardware_ids,
        **{name: pa.array(getattr(inventory, name), pa.int32()) for name in (*_PLACES, "memory_mib")},
        "is_retired": pa.array(inventory.is_retired),
    }
    fields = [pa.field(name, column.type, nullable=False) for name, column in columns.items()]
    return write_batch(inventory.head, fields, list(columns.values()))


def decode_inventory(body: bytes) -> Inventory:
    """Return an inventory; raises InvalidInput for bytes that are none, or one that contradicts itself."""
    with explain_arrow("inventory"):
        head, batch = read_batch(body, InventoryHead, "inventory")
        if not 0 < batch.num_rows <= FRAME_DEVICES_MAX or head.version < 1:
            raise InvalidInput(f"expected 1 to {FRAME_DEVICES_MAX} devices, and a version from 1", "inventory")
        _check_head(head, batch.num_rows)
        hardware_ids = take_column(batch, "hardware_id", pa.utf8(), "inventory")
        if not all(text and is_inventory_text(text) for text in hardware_ids.to_pylist()):
            raise InvalidInput("expected short texts without control characters", "inventory.hardware_id")
        if len(hardware_ids.unique()) != len(hardware_ids):
            raise InvalidInput("expected each hardware id once", "inventory.hardware_id")
        lengths = {"node": head.nodes, "chip": head.chips, "name": head.names, "supernode": head.supernodes}
        columns = {name: _take_numbers(batch, name, _PLACES[name], len(lengths[name]) - 1) for name in _PLACES}
        _check_members(head, hardware_ids.to_pylist(), columns["supernode"])
        memory_mib = _take_numbers(batch, "memory_mib", 0, None)
        is_retired = take_column(batch, "is_retired", pa.bool_(), "inventory").to_numpy(zero_copy_only=False)
    return Inventory(head, hardware_ids, memory_mib=memory_mib, is_retired=is_retired, **columns)


def _check_head(head: InventoryHead, device_count: int) -> None:
    """Raise InvalidInput for a head that is larger than its devices can make it, or whose texts nobody could show."""
    if not is_incarnation(head.incarnation) or head.version >= VERSION_END:
        raise InvalidInput("expected an incarnation of up to 64 letters, digits, _ and -", "inventory.head")
    supernodes = [entry.name for entry in head.supernodes]
    # One with members of its own may be of devices that nobody has seen yet.
    member_count = sum(len(entry.members) for entry in head.supernodes)
    for name, texts, most in (
        ("nodes", head.nodes, device_count),
        ("chips", head.chips, device_count),
        ("names", head.names, device_count),
        ("supernodes", supernodes, min(device_count + member_count, FRAME_DEVICES_MAX)),
    ):
        if len(texts) > most or len(set(texts)) != len(texts):
            raise InvalidInput("expected different texts, and no more of them than devices", f"inventory.{name}")
        if not all(map(is_inventory_text, texts)):
            raise InvalidInput("expected short texts without control characters", f"inventory.{name}")
    if not all(is_inventory_text(entry.template) for entry in head.supernodes):
        raise InvalidInput("expected short texts without control characters", "inventory.supernodes")


def _check_members(head: InventoryHead, hardware_ids: list[str], supernode: Places) -> None:
    """Raise InvalidInput unless each member is one of one supernode, and its device, if there is one, says the same."""
    owners: dict[str, int] = {}
    for place, entry in enumerate(head.supernodes):
        if len(entry.members) > MEMBERS_MAX or not 0 <= entry.links_per_member <= LINKS_MAX:
            text = f"expected at most {MEMBERS_MAX} members of a supernode, with 0 to {LINKS_MAX} links each"
            raise InvalidInput(text, "inventory.supernodes")
        for member in entry.members:
            if not member or not is_inventory_text(member) or owners.setdefault(member, place) != place:
                raise InvalidInput("expected each member in one supernode, by a short text", "inventory.supernodes")
        if len(set(entry.members)) != len(entry.members):
            raise InvalidInput("expected each member once", "inventory.supernodes")
    told = {place for place, entry in enumerate(head.supernodes) if entry.members}
    for hardware_id, place in zip(hardware_ids, supernode.tolist(), strict=True) if told else ():
        if owners.get(hardware_id, place) != place or (place in told and hardware_id not in owners):
            raise InvalidInput("expected devices in the supernodes that have them as members", "inventory.supernode")


def pack_inventory(body: bytes) -> bytes:
    """Return an inventory's bytes as they are kept: their length, then compressed."""
    packed: bytes = pa.compress(body, codec=_KEPT_CODEC, asbytes=True)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + packed


def unpack_inventory(kept: bytes) -> bytes:
    """Return what `pack_inventory` was given."""
    length_bytes = int.from_bytes(kept[:_LENGTH_BYTES], "big")
    body: bytes = pa.decompress(kept[_LENGTH_BYTES:], length_bytes, codec=_KEPT_CODEC, asbytes=True)
    return body


def _take_numbers(batch: pa.RecordBatch, name: str, least: int, most: int | None) -> Places:
    numbers: Places = take_column(batch, name, pa.int32(), "inventory").to_numpy()
    if numbers.min() < least or (most is not None and numbers.max() > most):
        raise InvalidInput(f"expected numbers from {least} to {most}", f"inventory.{name}")
    return numbers
