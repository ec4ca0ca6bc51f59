"""Logs on NATS: whatever the server or the database lost, the stream is what the database has."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

from keisan.domain.link_log import LogEnd, LogItem, SettledPeriod
from keisan.domain.register import RegisterKey
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from keisan.streams.nats import NatsStreams
from tests.factories import NOW, FixedClock
from tests.letters import NORTH, SOUTH, write_register
from tests.nats import NatsServer
from tests.streams.log_world import LINK, append, carry_until_done, count_messages, read_all, read_stored


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
    nats_server.kill()
    nats_server.lose_disk()
    nats_server.start()
    await carry_until_done(streams)
    assert await read_all(streams, end) == await read_stored(sqlite_storage)
    assert await count_messages(nats_server) == 4
    assert await streams.find(RegisterKey(register.author, register.kind, register.name)) == register
    await streams.close()


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


async def test_two_that_carry_at_once_double_nothing(sqlite_storage: Database, nats_server: NatsServer) -> None:
    both = [NatsStreams(sqlite_storage, nats_server.url, NORTH) for _ in range(2)]
    end = await append(sqlite_storage)
    for streams in both:
        await streams.carry()
    await append(sqlite_storage, 2_000)
    async with asyncio.TaskGroup() as group:
        for streams in both:
            group.create_task(streams.carry())
    for streams in both:
        assert await read_all(streams, end) == await read_stored(sqlite_storage)
        await streams.close()
    assert await count_messages(nats_server) == 2_001


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
    # The one still thinks that the stream begins with the log.
    await carry_until_done(one)
    assert [item.sequence for item in await read_all(one, end)] == [4, 5, 6, 7]
    await append(sqlite_storage)
    assert await read_all(one, end) == await read_all(other, end) == await read_stored(sqlite_storage)
    for each in (one, other):
        await each.close()
