"""A place for history, a folder or a bucket: what is put is there whole, what is not listed is swept."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from keisan.domain.errors import InvariantBroken
from keisan.domain.history import HistoryFile, InventoryNote, Manifest, Month, Tier
from keisan.domain.inventory import InventoryHead, SupernodeEntry
from keisan.domain.key import Secret
from keisan.kit.clock import SystemClock
from keisan.storage.base_history import Block, BlockKey
from keisan.storage.history_file import SAMPLE_SCHEMA
from keisan.storage.history_inventory import name_inventory
from keisan.storage.history_s3 import S3Options
from keisan.storage.history_store import HistoryFileStore, HistoryPlace, open_folder
from keisan.wire.inventory import Inventory
from tests.s3 import create_bucket, start_s3
from tests.storage.history_world import DAY_START_MS, REGION

MONTH = Month(REGION, "2026-11")
FILE = HistoryFile("sample/x.parquet", Tier.SAMPLE, 1, 2, 3, 4, 5, is_rolled=True)


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with start_s3() as url:
        yield url


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> HistoryPlace:
    if request.param == "folder":
        return open_folder(tmp_path / "data")
    return create_bucket(request.getfixturevalue("s3_url"), f"bucket-{uuid4()}")


@pytest.fixture
def store(place: HistoryPlace, tmp_path: Path) -> HistoryFileStore:
    return HistoryFileStore(place, tmp_path / "work")


def create_block(place: int = 0, count: int = 3) -> Block:
    names = SAMPLE_SCHEMA.names[4:]
    columns = {name: np.arange(count, dtype=np.int32) for name in names}
    numbers = np.full(count, place * 256, np.uint32)
    return Block(BlockKey("s", "a", place), numbers, DAY_START_MS + np.arange(count, dtype=np.int64), columns)


def put(store: HistoryFileStore, *blocks: Block) -> HistoryFile:
    file = store.open_file(Tier.SAMPLE)
    for block in blocks:
        file.add(block)
    name, size_bytes = store.put_file(file, REGION, DAY_START_MS)
    return replace(FILE, name=name, size_bytes=size_bytes)


def test_a_manifest_is_replaced_whole(store: HistoryFileStore) -> None:
    assert list(store.list_manifests()) == []
    store.put_manifest(Manifest(MONTH, 1, (FILE,), ("a.journal",)))
    other = Manifest(Month("JP-13", "2026-12"), 1)
    store.put_manifest(other)
    newer = Manifest(MONTH, 2, (FILE, replace(FILE, name="y", is_rolled=False)), ())
    store.put_manifest(newer)
    found = HistoryFileStore(store.place, store.work).list_manifests()
    assert sorted(found, key=lambda each: each.month) == [newer, other]


def test_blocks_of_a_file_come_back(store: HistoryFileStore) -> None:
    blocks = [create_block(), create_block(1, 7)]
    file = put(store, *blocks)
    assert file.name.startswith(f"sample/day=2026-11-26/region={REGION}/")
    found = list(store.read_blocks(file))
    assert [each.key for each in found] == [each.key for each in blocks]
    for one, other in zip(blocks, found, strict=True):
        assert np.array_equal(one.numbers, other.numbers)
        assert np.array_equal(one.at_ms, other.at_ms)
        assert all(np.array_equal(one.columns[name], other.columns[name]) for name in one.columns)
    assert list(store.work.iterdir()) == []


def test_a_file_that_was_discarded_is_nowhere(store: HistoryFileStore) -> None:
    file = store.open_file(Tier.SAMPLE)
    file.add(create_block())
    store.discard_file(file)
    assert list(store.work.iterdir()) == []
    assert store.sweep([], SystemClock().now() + timedelta(days=1)) == 0


def test_only_what_is_old_and_not_named_is_swept(store: HistoryFileStore) -> None:
    kept, left = put(store, create_block()), put(store, create_block())
    store.put_manifest(Manifest(MONTH, 1, (kept,)))
    (store.work / "torn.parquet").write_bytes(b"x")
    now = SystemClock().now()
    assert store.sweep([kept.name], now - timedelta(minutes=1)) == 0
    assert len(list(store.read_blocks(left))) == 1
    assert store.sweep([kept.name], now + timedelta(minutes=1)) == 1
    assert len(list(store.read_blocks(kept))) == 1
    with pytest.raises(OSError, match=r"exist|found|No such"):
        list(store.read_blocks(left))
    assert list(store.work.iterdir()) == []
    assert list(store.list_manifests()) == [Manifest(MONTH, 1, (kept,))]


def test_what_is_removed_may_be_gone_already(store: HistoryFileStore) -> None:
    file = put(store, create_block())
    store.remove([file.name, "sample/none.parquet"])
    store.remove([file.name])
    assert store.sweep([], SystemClock().now() + timedelta(days=1)) == 0


def create_inventory(incarnation: str = "a", version: int = 1) -> tuple[InventoryNote, Inventory]:
    head = InventoryHead(incarnation, version, ("n0", "n1"), ("c",), ("Chip",), (SupernodeEntry("s0"),))
    inventory = Inventory(
        head,
        pa.array(["d0", "d1", "d2"]),
        node=np.array([0, 1, 1], np.int32),
        chip=np.zeros(3, np.int32),
        name=np.zeros(3, np.int32),
        supernode=np.array([-1, 0, 0], np.int32),
        memory_mib=np.full(3, 65_536, np.int32),
        is_retired=np.array([False, False, True]),
    )
    return InventoryNote("site-1", REGION, incarnation, version, 2, DAY_START_MS), inventory


def test_inventories_are_kept_beside_the_files(store: HistoryFileStore) -> None:
    assert len(store.read_inventories([])) == 0
    store.put_inventory(*create_inventory())
    store.put_inventory(*create_inventory(version=2))
    # A name that is no file's.
    store.put_inventory(*create_inventory(incarnation="../b"))
    notes = store.list_notes()
    assert sorted((each.incarnation, each.version) for each in notes) == [("../b", 1), ("a", 2)]
    rows = store.read_inventories([each for each in notes if each.incarnation == "a"]).to_pylist()
    assert [(row["device"], row["hardware_id"], row["node"], row["supernode"]) for row in rows] == [
        (0, "d0", "n0", None),
        (1, "d1", "n1", "s0"),
        (2, "d2", "n1", "s0"),
    ]
    assert rows[2]["is_retired"]
    assert "/.." not in name_inventory("s", "../b")


def test_a_store_takes_its_own_files_only(store: HistoryFileStore) -> None:
    class Other:
        row_count = 0

        def add(self, block: Block) -> None: ...

    with pytest.raises(InvariantBroken):
        store.put_file(Other(), REGION, 0)


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(S3Options("http://x", "r", "key", Secret("hidden")))
