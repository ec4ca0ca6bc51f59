"""SQLite's particulars: durable, private, one writer who never starts too late, readers who never wait for it."""

import asyncio
import contextlib
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvariantBroken, StorageUnavailable
from keisan.domain.page import PageRequest
from keisan.kit.clock import SystemClock
from keisan.storage import sqlite
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from tests.factories import FixedClock, create_organization, plant_world
from tests.storage.rows import fetch_value

EVERYTHING = PlatformScope()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where sqlite_storage keeps its file."""
    return tmp_path / "keisan.db"


async def test_new_files_are_for_their_owner_only(tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / "new.db"
    storage = open_sqlite(path, clock)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await storage.migrate()
    async with storage.write() as transaction:
        await transaction.organizations.insert(create_organization())
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    await storage.close()
    assert modes == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm"), 0o600)


@pytest.mark.parametrize(
    ("pragma", "of_writer", "of_reader"),
    [("journal_mode", "wal", "wal"), ("synchronous", 2, 2), ("foreign_keys", 1, 1), ("query_only", 0, 1)],
)
async def test_connections_are_set_up(
    sqlite_storage: Database, pragma: str, of_writer: object, of_reader: object
) -> None:
    async with sqlite_storage._dialect.open_writer() as connection:
        assert await connection.scalar(text(f"PRAGMA {pragma}")) == of_writer
    assert await fetch_value(sqlite_storage, text(f"PRAGMA {pragma}")) == of_reader


async def test_readers_do_not_wait_for_the_writer(sqlite_storage: Database) -> None:
    async with sqlite_storage.write() as transaction:
        await transaction.organizations.insert(create_organization())
        async with asyncio.timeout(30), contextlib.AsyncExitStack() as stack:
            views = [await stack.enter_async_context(sqlite_storage.read()) for _ in range(sqlite.READERS_MAX)]
            for view in views:
                assert (await view.organizations.list(EVERYTHING, PageRequest())).items == ()


async def test_more_readers_than_connections_take_turns(sqlite_storage: Database) -> None:
    world = await plant_world(sqlite_storage)

    async def read() -> object:
        async with sqlite_storage.read() as view:
            return await view.platform.get()

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read()) for _ in range(5 * sqlite.READERS_MAX)]
    assert all(reader.result() == world.platform for reader in readers)


async def test_writer_waits_no_longer_than_its_limit(sqlite_storage: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "WAIT_S_MAX", 0.05)
    async with sqlite_storage.write():
        with pytest.raises(StorageUnavailable):
            async with sqlite_storage.write():
                pass
    async with sqlite_storage.write() as transaction:
        await transaction.organizations.insert(create_organization())


async def test_writer_of_another_process_is_waited_for(
    path: Path, migrated_file: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(migrated_file.read_bytes())
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    storage = open_sqlite(path, clock)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable):
            async with storage.write():
                pass
        other.execute("ROLLBACK")
        async with storage.write() as transaction:
            await transaction.organizations.insert(create_organization())
    await storage.close()


async def test_two_processes_that_read_and_then_write_both_get_through(sqlite_storage: Database, path: Path) -> None:
    """A deferred transaction would fail at once with "database is locked" when the other wrote in between."""
    second = open_sqlite(path, SystemClock())
    organization = create_organization("0")
    async with sqlite_storage.write() as transaction:
        await transaction.organizations.insert(organization)

    async def add(storage: Database) -> None:
        for _ in range(10):
            async with storage.write() as transaction:
                seen = await transaction.organizations.get(EVERYTHING, organization.id)
                changed = replace(seen, name=str(int(seen.name) + 1), version=seen.version + 1)
                await transaction.organizations.update(changed)

    async with asyncio.TaskGroup() as group:
        group.create_task(add(sqlite_storage))
        group.create_task(add(second))
    await second.close()
    async with sqlite_storage.read() as view:
        assert (await view.organizations.get(EVERYTHING, organization.id)).name == "20"


async def test_place_that_cannot_be_written_is_unavailable(tmp_path: Path, clock: FixedClock) -> None:
    with pytest.raises(StorageUnavailable):
        open_sqlite(tmp_path / "missing" / "keisan.db", clock)


async def test_file_that_is_no_database_is_unavailable(path: Path, clock: FixedClock) -> None:
    path.write_bytes(b"not a database" * 1000)
    storage = open_sqlite(path, clock)
    with pytest.raises(StorageUnavailable):
        await storage.migrate()
    with pytest.raises(StorageUnavailable):
        await storage.check()
    await storage.close()


async def test_migration_that_breaks_a_reference_is_refused(sqlite_storage: Database) -> None:
    await plant_world(sqlite_storage)

    def drop_provider(connection: Connection) -> None:
        connection.execute(text("DELETE FROM provider"))

    with pytest.raises(InvariantBroken, match="names what is not there"):
        await sqlite_storage.change_schema(drop_provider)
    async with sqlite_storage.read() as view:
        assert len((await view.providers.list(EVERYTHING, PageRequest())).items) == 2
