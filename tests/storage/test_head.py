"""The head: one row, known once locked, missed when it is gone."""

import pytest
from sqlalchemy import delete

from keisan.domain.errors import InvariantBroken
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.storage.head import head
from tests.storage.rows import execute


async def test_migration_makes_the_head(empty_storage: Database) -> None:
    await empty_storage.migrate()
    async with empty_storage.read() as view:
        mark = await view.snapshot.get_mark()
    assert (mark.version, mark.incarnation.version) == (0, 7)


async def test_database_has_an_incarnation_of_its_own(empty_storage: Database, storage: Database) -> None:
    await empty_storage.migrate()
    async with empty_storage.read() as one, storage.read() as other:
        assert (await one.snapshot.get_mark()).incarnation != (await other.snapshot.get_mark()).incarnation


async def test_missing_head_is_an_invariant(empty_storage: Database) -> None:
    await empty_storage.migrate()
    await execute(empty_storage, delete(head))
    async with empty_storage.read() as view:
        with pytest.raises(InvariantBroken):
            await view.snapshot.get_mark()
    with pytest.raises(InvariantBroken):
        async with empty_storage.write() as transaction:
            await transaction.snapshot.touch(SnapshotTable.KEYS, [create_id()])
