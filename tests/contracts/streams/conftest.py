"""Streams on the database and on a real nats-server, over storage in a file."""

from collections.abc import AsyncIterator

import pytest

from keisan.storage.database import Database
from keisan.streams.base import Streams
from keisan.streams.nats import NatsStreams
from keisan.streams.sql import SqlStreams

# pytest finds a fixture by its name in this module.
from tests.databases import clock, migrated_file, sqlite_storage  # noqa: F401  # fixtures
from tests.letters import NORTH
from tests.nats import NatsServer, nats_server  # noqa: F401  # fixture


@pytest.fixture
async def nats_streams(sqlite_storage: Database, nats_server: NatsServer) -> AsyncIterator[NatsStreams]:  # noqa: F811  # the fixture
    """Streams on that server."""
    opened = NatsStreams(sqlite_storage, nats_server.url, NORTH)
    yield opened
    await opened.close()


@pytest.fixture
def sql_streams(sqlite_storage: Database) -> SqlStreams:  # noqa: F811  # the fixture
    """Streams on the database."""
    return SqlStreams(sqlite_storage)


@pytest.fixture(params=["sql", "nats"])
def streams(request: pytest.FixtureRequest) -> Streams:
    """Streams of either kind."""
    found: Streams = request.getfixturevalue(f"{request.param}_streams")
    return found


@pytest.fixture
def storage(sqlite_storage: Database) -> Database:  # noqa: F811  # the fixture
    """The database that they are written in."""
    return sqlite_storage
