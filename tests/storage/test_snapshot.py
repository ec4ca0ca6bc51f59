"""Versions of the snapshot: one per transaction, in the order of commits, with what changed at each (R10)."""

import asyncio

import pytest

from keisan.domain.limits import SNAPSHOT_CHANGES_KEPT_MAX
from keisan.domain.snapshot import SnapshotChange, SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.storage.snapshot import CHANGES_LEFT

KEYS, MODELS = SnapshotTable.KEYS, SnapshotTable.MODELS


async def touch(storage: Database, count: int = 1) -> int:
    async with storage.write() as transaction:
        return await transaction.snapshot.touch(KEYS, [create_id() for _ in range(count)])


async def test_version_rises_once_per_transaction(storage: Database) -> None:
    key, model = create_id(), create_id()
    async with storage.write() as transaction:
        versions = [
            await transaction.snapshot.touch(KEYS, [key]),
            await transaction.snapshot.touch(MODELS, [model, key]),
            await transaction.snapshot.touch(KEYS, [key]),
            await transaction.snapshot.touch(KEYS, []),
        ]
        assert (await transaction.snapshot.get_mark()).version == 1
    assert versions == [1, 1, 1, 1]
    assert await touch(storage) == 2
    async with storage.read() as view:
        changes = await view.snapshot.list_changes(0)
        assert (await view.snapshot.get_mark()).version == 2
        assert await view.snapshot.list_changes(2) == []
    assert changes is not None
    expected = {SnapshotChange(1, KEYS, key), SnapshotChange(1, MODELS, model), SnapshotChange(1, MODELS, key)}
    assert set(changes[:3]) == expected
    assert [change.version for change in changes] == [1, 1, 1, 2]


async def test_touching_nothing_raises_nothing(storage: Database) -> None:
    async with storage.write() as transaction:
        assert await transaction.snapshot.touch(KEYS, []) == 0
    assert await touch(storage) == 1


async def test_rollback_leaves_the_version(storage: Database) -> None:
    async def fail() -> None:
        async with storage.write() as transaction:
            await transaction.snapshot.touch(KEYS, [create_id()])
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await touch(storage) == 1


async def test_versions_are_seen_in_the_order_of_commits(storage: Database) -> None:
    """Whoever reads version n finds every change up to n: none comes in behind a reader."""
    done = asyncio.Event()
    seen: list[tuple[int, int]] = []

    async def read_on() -> None:
        while not done.is_set():
            async with storage.read() as view:
                mark = await view.snapshot.get_mark()
                seen.append((mark.version, len(await view.snapshot.list_changes(0) or ())))

    async def write_all() -> None:
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(touch(storage)) for _ in range(16)]
        assert sorted(writer.result() for writer in writers) == list(range(1, 17))
        done.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(read_on())
        group.create_task(write_all())
    assert all(version == count for version, count in seen)
    assert seen == sorted(seen)


async def test_old_changes_are_dropped_by_whole_versions(storage: Database) -> None:
    await touch(storage, SNAPSHOT_CHANGES_KEPT_MAX - CHANGES_LEFT)
    await touch(storage, CHANGES_LEFT)
    async with storage.read() as view:
        assert len(await view.snapshot.list_changes(0) or ()) == SNAPSHOT_CHANGES_KEPT_MAX
    await touch(storage)
    async with storage.read() as view:
        assert await view.snapshot.list_changes(1) is None
        assert len(await view.snapshot.list_changes(2) or ()) == 1
    await touch(storage)
    async with storage.read() as view:
        assert [change.version for change in await view.snapshot.list_changes(2) or ()] == [3, 4]


async def test_transaction_beyond_what_is_kept(storage: Database) -> None:
    version = await touch(storage, SNAPSHOT_CHANGES_KEPT_MAX + 1)
    async with storage.read() as view:
        assert await view.snapshot.list_changes(version - 1) is None
        assert await view.snapshot.list_changes(version) == []
