"""Fixtures: storage on both databases, once on each for every test that asks for it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from keisan.domain.event import FIRST_EVENT_HASH
from keisan.storage.database import Database
from keisan.storage.postgresql import open_postgresql
from keisan.storage.schema import metadata
from keisan.storage.sqlite import open_sqlite
from tests.factories import FixedClock
from tests.postgresql import SUPERUSER, PostgresqlServer

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class SharedPostgresql:
    """One migrated database for many tests, because making one takes longer than most tests."""

    server: PostgresqlServer
    name: str

    @property
    def url(self) -> str:
        """The SQLAlchemy URL for the asyncpg driver."""
        return self.server.format_url(self.name)

    async def empty(self) -> None:
        """Cut whoever is still connected and delete every row, append-only ones too."""
        connection = await connect_postgresql(self.server, self.name)
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.execute("SET session_replication_role = replica")
            # Deleting the few rows there are is much quicker than truncating every table and partition.
            await connection.execute("; ".join(f'DELETE FROM "{name}"' for name in metadata.tables if name != "head"))
            await connection.execute(
                "UPDATE head SET event_sequence = 0, event_hash = $1, entry_sequence = 0, entry_hash = $1, snapshot_version = 0, "
                "snapshot_kept_after = 0, snapshot_change_count = 0",
                FIRST_EVENT_HASH,
            )
        finally:
            await connection.close()


async def connect_postgresql(server: PostgresqlServer, database: str) -> asyncpg.Connection:
    """Return a connection of the driver's own, to look behind storage's back."""
    return await asyncpg.connect(
        host=str(server.socket_folder), user=SUPERUSER, database=database, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S
    )


async def _migrate(storage: Database) -> None:
    try:
        await storage.migrate()
    finally:
        await storage.close()


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands still until a test moves it."""
    return FixedClock()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "keisan.db"
    asyncio.run(_migrate(open_sqlite(path, FixedClock())))
    return path


@pytest.fixture(scope="session")
def shared_postgresql(postgresql_server: PostgresqlServer) -> Iterator[SharedPostgresql]:
    """The migrated database for all tests of this run."""
    shared = SharedPostgresql(postgresql_server, f"shared_{uuid4().hex}")
    postgresql_server.create_database(shared.name)
    asyncio.run(_migrate(open_postgresql(shared.url, FixedClock())))
    yield shared
    postgresql_server.drop_database(shared.name)


@pytest.fixture
async def sqlite_storage(tmp_path: Path, migrated_file: Path, clock: FixedClock) -> AsyncIterator[Database]:
    """SQLite with the newest schema and no rows."""
    path = tmp_path / "keisan.db"
    shutil.copy(migrated_file, path)
    storage = open_sqlite(path, clock)
    yield storage
    await storage.close()


@pytest.fixture
async def postgresql_storage(shared_postgresql: SharedPostgresql, clock: FixedClock) -> AsyncIterator[Database]:
    """PostgreSQL with the newest schema and no rows."""
    await shared_postgresql.empty()
    storage = open_postgresql(shared_postgresql.url, clock)
    yield storage
    await storage.close()


@pytest.fixture(params=["sqlite", POSTGRESQL])
def storage(request: pytest.FixtureRequest) -> Database:
    """Storage with the newest schema and no rows."""
    migrated: Database = request.getfixturevalue(f"{request.param}_storage")
    return migrated


@pytest.fixture(params=["sqlite", POSTGRESQL])
async def empty_storage(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> AsyncIterator[Database]:
    """Storage without a schema, in a database of its own."""
    if request.param == "sqlite":
        opened = open_sqlite(tmp_path / "empty.db", clock)
    else:
        opened = open_postgresql(request.getfixturevalue("postgresql_url"), clock)
    yield opened
    await opened.close()
