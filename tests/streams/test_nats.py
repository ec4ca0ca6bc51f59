"""Streams on NATS: what is carried while the server is killed, and applied while it and the applier are, is there once."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from keisan.domain.errors import StorageUnavailable
from keisan.domain.link_log import LogCursor, LogItem
from keisan.storage.database import Database
from keisan.streams.nats import NatsStreams
from keisan.streams.nats_connection import Message, NatsConnection
from keisan.wire.letter import decode_letter
from tests.letters import NORTH, SOUTH
from tests.nats import NatsServer
from tests.streams.log_world import (
    EVERYTHING,
    LEDGER,
    LINK,
    append,
    carry_until_done,
    count_messages,
    read_all,
    read_stored,
)

KILLS = 4
LETTERS_EACH = 400


async def test_a_killed_server_loses_nothing_and_doubles_nothing(
    sqlite_storage: Database, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = NatsStreams(sqlite_storage, nats_server.url, NORTH)
    publish = NatsConnection.publish
    kills = 0

    async def publish_and_kill(connection: NatsConnection, messages: Sequence[Message]) -> list[int]:
        """Have half of a batch acknowledged, and kill the server while the other half is on its way; every other batch."""
        nonlocal kills
        kills += 1
        if kills % 2 or kills > 2 * KILLS:
            return await publish(connection, messages)
        half = len(messages) // 2
        first = await publish(connection, messages[:half])
        second, _ = await asyncio.gather(publish(connection, messages[half:]), asyncio.to_thread(restart, nats_server))
        return first + second

    monkeypatch.setattr(NatsConnection, "publish", publish_and_kill)
    end = await append(sqlite_storage, LETTERS_EACH)
    while kills <= 2 * KILLS:
        await carry_until_done(streams)
        await append(sqlite_storage, LETTERS_EACH)
    stored = await read_stored(sqlite_storage)
    assert await read_all(streams, end) == stored
    assert len(stored) == await count_messages(nats_server)
    await streams.close()


def restart(server: NatsServer) -> None:
    """Kill a server and start it again."""
    server.kill()
    server.start()


async def test_who_applies_moves_its_cursor_with_it_and_applies_all_once(
    sqlite_storage: Database, nats_server: NatsServer
) -> None:
    streams = NatsStreams(sqlite_storage, nats_server.url, NORTH)
    end = await append(sqlite_storage, LETTERS_EACH)
    applied: list[object] = []

    async def apply(items: Sequence[LogItem], before: LogCursor | None, is_crashing: bool) -> None:
        async with sqlite_storage.write() as transaction:
            new = await transaction.incoming_logs.keep(LINK, LEDGER, [decode_letter(item.letter) for item in items])
            after = LogCursor(end.incarnation, items[-1].sequence, items[-1].hash)
            await transaction.incoming_logs.move_cursor(LINK, LEDGER, before, after)
            if is_crashing:
                raise ZeroDivisionError
        applied.extend(new)

    turn = 0
    while len(applied) < LETTERS_EACH:
        turn += 1
        async with sqlite_storage.read() as view:
            cursor = await view.incoming_logs.get_cursor(EVERYTHING, LINK, LEDGER)
        if turn % 3 == 0:
            restart(nats_server)
        with suppress(ZeroDivisionError, StorageUnavailable):
            items = await streams.read(LINK, LEDGER, end.incarnation, cursor.sequence if cursor else 0, 64 * 1024)
            await apply(items, cursor, is_crashing=turn % 2 == 0)
    assert applied == [item.letter_id for item in await read_stored(sqlite_storage)]
    await streams.close()


async def test_platforms_on_one_server_are_apart(sqlite_storage: Database, nats_server: NatsServer) -> None:
    own, other = (NatsStreams(sqlite_storage, nats_server.url, owner) for owner in (NORTH, SOUTH))
    await append(sqlite_storage, 2)
    await own.carry()
    assert await count_messages(nats_server) == 2
    await other.carry()
    assert await count_messages(nats_server) == 4
    for each in (own, other):
        await each.close()
