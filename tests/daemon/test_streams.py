"""Streams as settings name them: on the database unless NATS has an address, and carried there while the platform runs."""

import asyncio

import pytest

from keisan.control.context import Control
from keisan.daemon.settings import StreamSettings
from keisan.daemon.streams import carry_streams, open_streams
from keisan.domain.errors import InvariantBroken
from keisan.kit.clock import SystemClock
from keisan.storage.database import Database
from keisan.streams.nats import NatsStreams
from keisan.streams.sql import SqlStreams

# pytest finds a fixture by its name in this module.
from tests.databases import clock, migrated_file, sqlite_storage  # noqa: F401  # fixtures
from tests.letters import NORTH
from tests.nats import NatsServer, nats_server  # noqa: F401  # fixture
from tests.streams.log_world import append, count_messages

DEADLINE_S = 30.0


async def test_streams_are_on_the_database_unless_nats_has_an_address(sqlite_storage: Database) -> None:  # noqa: F811  # the fixture
    assert isinstance(open_streams(StreamSettings(), sqlite_storage, NORTH), SqlStreams)
    on_nats = open_streams(StreamSettings(nats_url="nats://127.0.0.1:1"), sqlite_storage, NORTH)
    assert isinstance(on_nats, NatsStreams)


async def test_what_is_committed_is_carried_until_the_platform_ends(
    sqlite_storage: Database,  # noqa: F811  # the fixture
    nats_server: NatsServer,  # noqa: F811  # the fixture
) -> None:
    own = StreamSettings(nats_url=nats_server.url)
    streams = open_streams(own, sqlite_storage, NORTH)
    stop = asyncio.Event()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        control = Control(sqlite_storage, SystemClock(), NORTH, streams=streams)
        running = group.create_task(carry_streams(own, control, stop))
        await append(sqlite_storage, 3)
        while await count_messages(nats_server) < 3:
            assert not running.done()
        stop.set()


async def test_on_the_database_there_is_nothing_to_carry(sqlite_storage: Database) -> None:  # noqa: F811  # the fixture
    # Control has no streams here: they are not asked for.
    control = Control(sqlite_storage, SystemClock(), NORTH)
    await carry_streams(StreamSettings(), control, asyncio.Event())
    with pytest.raises(InvariantBroken):
        control.get_streams()
