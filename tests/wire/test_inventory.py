"""Inventories: what is written is read again; one that contradicts itself is refused."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.inventory import InventoryHead, SupernodeEntry
from keisan.wire.inventory import Inventory, decode_inventory, encode_inventory


def places(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


HEAD = InventoryHead("list", 2, ("node-a", "node-b"), ("nvidia-h20",), ("NVIDIA H20",), (SupernodeEntry("cube"),))
CUBE = SupernodeEntry("cube", members=("GPU-2", "GPU-1", "never-seen"), links_per_member=18)
GOOD = Inventory(
    HEAD,
    pa.array(["GPU-1", "GPU-2", "GPU-3"]),
    node=places(0, 0, 1),
    chip=places(0, 0, 0),
    name=places(0, 0, 0),
    supernode=places(0, 0, -1),
    memory_mib=places(98304, 98304, 0),
    is_retired=np.array([False, False, True]),
)


def test_an_inventory_is_read_as_it_was_written_and_written_the_same_each_time() -> None:
    body = encode_inventory(GOOD)
    found = decode_inventory(body)
    assert found.head == HEAD
    assert found.device_count == 3
    assert found.is_retired.tolist() == [False, False, True]
    assert encode_inventory(found) == body


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (replace(GOOD, hardware_ids=pa.array(["GPU-1", "GPU-1", "GPU-3"])), "inventory.hardware_id"),
        (replace(GOOD, node=places(0, 0, 2)), "inventory.node"),
        (replace(GOOD, chip=places(0, -1, 0)), "inventory.chip"),
        (replace(GOOD, name=places(0, 1, 0)), "inventory.name"),
        (replace(GOOD, supernode=places(0, 1, -1)), "inventory.supernode"),
        (replace(GOOD, supernode=places(0, -2, -1)), "inventory.supernode"),
        (replace(GOOD, memory_mib=places(0, -1, 1)), "inventory.memory_mib"),
        (replace(GOOD, head=replace(HEAD, version=0)), "inventory"),
        (replace(GOOD, head=replace(HEAD, version=2**62)), "inventory.head"),
        (replace(GOOD, head=replace(HEAD, incarnation="a" * 65)), "inventory.head"),
        (replace(GOOD, head=replace(HEAD, nodes=("a", "b", "c", "d"))), "inventory.nodes"),
        (replace(GOOD, head=replace(HEAD, nodes=("a", "a"))), "inventory.nodes"),
        (replace(GOOD, head=replace(HEAD, chips=("nul\0",))), "inventory.chips"),
        (replace(GOOD, head=replace(HEAD, names=("x" * 257,))), "inventory.names"),
        (replace(GOOD, head=replace(HEAD, supernodes=(SupernodeEntry("cube", "\x1b[0m"),))), "inventory.supernodes"),
        (replace(GOOD, hardware_ids=pa.array(["GPU-1", "nul\0", "GPU-3"])), "inventory.hardware_id"),
        (replace(GOOD, hardware_ids=pa.array(["GPU-1", "", "GPU-3"])), "inventory.hardware_id"),
    ],
)
def test_an_inventory_that_contradicts_itself_is_refused(bad: Inventory, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_inventory(encode_inventory(bad))
    assert caught.value.field == field


def test_supernodes_have_members_that_nobody_has_seen_and_more_names_than_there_are_devices() -> None:
    others = tuple(SupernodeEntry(f"other-{number}", members=(f"elsewhere-{number}",)) for number in range(4))
    told = replace(GOOD, head=replace(HEAD, supernodes=(CUBE, *others)))
    assert decode_inventory(encode_inventory(told)).head.supernodes == (CUBE, *others)


@pytest.mark.parametrize(
    ("supernodes", "supernode", "field"),
    [
        ((replace(CUBE, links_per_member=4097),), (0, 0, -1), "inventory.supernodes"),
        ((replace(CUBE, links_per_member=-1),), (0, 0, -1), "inventory.supernodes"),
        ((replace(CUBE, members=("GPU-1", "GPU-2", "GPU-1")),), (0, 0, -1), "inventory.supernodes"),
        ((replace(CUBE, members=("GPU-1", "GPU-2", "nul\0")),), (0, 0, -1), "inventory.supernodes"),
        ((replace(CUBE, members=("GPU-1", "GPU-2", "")),), (0, 0, -1), "inventory.supernodes"),
        ((CUBE, SupernodeEntry("other", members=("never-seen",))), (0, 0, -1), "inventory.supernodes"),
        ((CUBE,), (0, -1, -1), "inventory.supernode"),
        ((CUBE,), (0, 0, 0), "inventory.supernode"),
        ((CUBE, SupernodeEntry("other")), (0, 1, -1), "inventory.supernode"),
        (tuple(SupernodeEntry(f"empty-{number}") for number in range(4)), (0, 0, -1), "inventory.supernodes"),
    ],
)
def test_members_and_devices_say_the_same(
    supernodes: tuple[SupernodeEntry, ...], supernode: tuple[int, ...], field: str
) -> None:
    bad = replace(GOOD, head=replace(HEAD, supernodes=supernodes), supernode=places(*supernode))
    with pytest.raises(InvalidInput) as caught:
        decode_inventory(encode_inventory(bad))
    assert caught.value.field == field


def test_bytes_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_inventory(b"ARROW1")
    assert caught.value.field == "inventory"
