"""Logs on NATS: whatever the server or the database lost, the stream is what the database has."""

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.domain.errors import StorageUnavailable
from keisan.domain.link_log import LogEnd, LogItem, SettledPeriod
from keisan.domain.register import RegisterKey
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from keisan.streams.nats import NatsStreams
from keisan.streams.nats_connection import Message, NatsConnection
from keisan.streams.nats_log import cut_bytes
from tests.factories import NOW, FixedClock
from tests.letters import NORTH, SOUTH, write_letter, write_register
from tests.nats import NatsServer
from tests.streams.log_world import (
    EVERY_BYTE,
    LEDGER,
    LINK,
    append,
    carry_until_done,
    count_messages,
    read_all,
    read_stored,
)

DEADLINE_S = 30.0


async def test_a_server_that_lost_its_disk_is_filled_anew(sqlite_storage: Database, nats_server: NatsServer) -> None:
    streams = NatsStreams(sqlite_storage, nats_server.url, NORTH)
    register = write_register()
    await append(sqlite_storage, 3, "2026-10")
    end = await append(sqlite_storage, 4)
    async with sqlite_storage.write() as transaction:
        await transaction.registers.put(register, None)
        await transaction.outgoing_logs.trim(LINK, [SettledPeriod(NORTH, SOUTH, "2026-10")], NOW - timedelta(days=1))
    assert [item.sequence for item in await read_all(streams, end)] == [4, 5, 6, 7]
    await streams.carry()
    # What it has read of its own is what it would think to be there still.
    assert await streams.carry() == 0
    nats_server.kill()
    nats_server.lose_disk()
    nats_server.start()
    await carry_until_done(streams)
    assert await read_all(streams, end) == await read_stored(sqlite_storage)
    assert await count_messages(nats_server) == 4
    for each in (streams, NatsStreams(sqlite_storage, nats_server.url, NORTH)):
        assert await each.find(RegisterKey(register.author, register.kind, register.name)) == register
        await each.close()


async def test_a_restored_database_has_the_last_word(
    tmp_path: Path, migrated_file: Path, nats_server: NatsServer
) -> None:
    path, kept = tmp_path / "keisan.db", tmp_path / "kept.db"
    shutil.copy(migrated_file, path)

    async def run(count: int) -> tuple[LogEnd, list[LogItem], list[LogItem]]:
        storage = open_sqlite(path, FixedClock())
        streams = NatsStreams(storage, nats_server.url, NORTH)
        end = await append(storage, count)
        found = end, await read_all(streams, end), await read_stored(storage)
        await streams.close()
        await storage.close()
        return found

    await run(2)
    shutil.copy(path, kept)
    # The second time its end is where the other's was, the third time before it, the fourth after.
    seen = []
    for count in (3, 3, 1, 5):
        end, read, stored = await run(count)
        assert read == stored
        assert len(read) == 2 + count == await count_messages(nats_server)
        seen.append((end.incarnation, read[-1].letter_id))
        shutil.copy(kept, path)
    assert len({incarnation for incarnation, _ in seen}) == 1
    assert len(set(seen)) == 4


async def test_an_incarnation_that_has_ended_takes_no_room(sqlite_storage: Database, nats_server: NatsServer) -> None:
    streams = NatsStreams(sqlite_storage, nats_server.url, NORTH)
    await append(sqlite_storage, 3)
    await streams.carry()
    async with sqlite_storage.write() as transaction:
        begun = await transaction.outgoing_logs.begin_incarnation(LINK, LEDGER, create_id())
    await streams.carry()
    assert await count_messages(nats_server) == 3
    assert await read_all(streams, begun) == await read_stored(sqlite_storage)
    await streams.close()


class SwappedStorage:
    """Storage whose database is another from one moment to the next, as after a restore that no process noticed."""

    def __init__(self, current: Database) -> None:
        self.current = current

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        return self.current.read()

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        return self.current.write()

    async def migrate(self) -> None:
        await self.current.migrate()

    async def check(self) -> None:
        await self.current.check()

    async def close(self) -> None:
        await self.current.close()


async def test_a_database_may_be_restored_while_the_platform_runs(
    tmp_path: Path, migrated_file: Path, nats_server: NatsServer
) -> None:
    path, kept = tmp_path / "keisan.db", tmp_path / "kept.db"
    shutil.copy(migrated_file, path)
    storage = SwappedStorage(open_sqlite(path, FixedClock()))
    await append(storage.current, 2)
    await storage.current.close()
    shutil.copy(path, kept)
    storage.current = open_sqlite(path, FixedClock())
    streams = NatsStreams(storage, nats_server.url, NORTH)
    end = await append(storage.current, 5)
    assert len(await read_all(streams, end)) == 7
    await storage.current.close()
    storage.current = open_sqlite(kept, FixedClock())
    await append(storage.current)
    await streams.carry()
    assert await read_all(streams, end) == await read_stored(storage.current)
    await streams.close()
    await storage.current.close()


async def test_two_that_carry_at_once_double_nothing(
    sqlite_storage: Database, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [NatsStreams(sqlite_storage, nats_server.url, NORTH) for _ in range(2)]
    end = await append(sqlite_storage)
    for streams in both:
        await streams.carry()
    await append(sqlite_storage, 200)
    publish, ready = NatsConnection.publish, asyncio.Barrier(2)

    async def publish_together(connection: NatsConnection, messages: Sequence[Message]) -> list[int]:
        async with asyncio.timeout(DEADLINE_S):
            await ready.wait()
        return await publish(connection, messages)

    monkeypatch.setattr(NatsConnection, "publish", publish_together)
    async with asyncio.TaskGroup() as group:
        for streams in both:
            group.create_task(streams.carry())
    # Before anybody reads: who finds an item at another's place begins the stream anew.
    assert await count_messages(nats_server) == 201
    monkeypatch.undo()
    for streams in both:
        assert await read_all(streams, end) == await read_stored(sqlite_storage)
        await streams.close()


async def test_what_another_has_begun_anew_is_read_at_its_own_sequences(
    sqlite_storage: Database, nats_server: NatsServer
) -> None:
    one, other = (NatsStreams(sqlite_storage, nats_server.url, NORTH) for _ in range(2))
    end = await append(sqlite_storage, 3, "2026-10")
    await append(sqlite_storage, 4)
    assert len(await read_all(one, end)) == 7
    async with sqlite_storage.write() as transaction:
        await transaction.outgoing_logs.trim(LINK, [SettledPeriod(NORTH, SOUTH, "2026-10")], NOW - timedelta(days=1))
    nats_server.kill()
    nats_server.lose_disk()
    nats_server.start()
    await carry_until_done(other)
    with suppress(StorageUnavailable):
        # What was asked on the connection that broke has no answer.
        await one.watch("offer", {})
    # The one still thinks that the stream begins with the log.
    items = await one.read(LINK, LEDGER, end.incarnation, 3, EVERY_BYTE)
    assert [item.sequence for item in items] == [4, 5, 6, 7]
    await append(sqlite_storage)
    assert await read_all(one, end) == await read_all(other, end) == await read_stored(sqlite_storage)
    for each in (one, other):
        await each.close()


def test_items_are_cut_at_their_bytes() -> None:
    items = [LogItem(at, b"", write_letter().id, b"x" * 10) for at in (1, 2, 3)]
    assert [len(cut_bytes(items, most)) for most in (1, 10, 19, 20, 29, 30)] == [1, 1, 1, 2, 2, 3]
    assert list(cut_bytes([], 1)) == []
