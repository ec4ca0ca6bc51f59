"""SQLite: one writer, several readers, WAL, and nothing acknowledged before it is on the disk (R12).

A write begins immediate, because a deferred transaction that reads first and then writes fails at once when another
writer was quicker.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import URL, ColumnElement, Connection, Insert, Table, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from keisan.domain.errors import (
    AlreadyExists,
    InvalidInput,
    InvariantBroken,
    KeisanError,
    StateConflict,
    StorageUnavailable,
)
from keisan.kit.clock import Clock
from keisan.storage.connection import open_connection
from keisan.storage.copy import bind_columns
from keisan.storage.database import Database
from keisan.storage.dialect import Changes
from keisan.storage.schema import AnyColumn
from keisan.storage.sqlite_connection import create_connection

READERS_MAX = 4
BUSY_TIMEOUT_MS = 5_000
# How long a write waits for the writes before it, and a read for a free reader.
WAIT_S_MAX = 30.0


def open_sqlite(path: Path, clock: Clock) -> Database:
    """Return storage in one file, made with mode 0600 if there is none; migrate it before its first use.

    Raises StorageUnavailable if the file cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageUnavailable(f"the database file {path} cannot be opened", str(error)) from error
    return Database(SqliteDialect(path), clock)


class SqliteDialect:
    """Connections to one file and SQLite's own statements."""

    errors = (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError, OverflowError, UnicodeError)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = asyncio.Lock()
        self._writer = self._create_engine("BEGIN IMMEDIATE", 1, ("foreign_keys=ON",))
        self._reader = self._create_engine("BEGIN", READERS_MAX, ("foreign_keys=ON", "query_only=ON"))

    @asynccontextmanager
    async def open_reader(self) -> AsyncIterator[AsyncConnection]:
        """Open one of the readers."""
        async with open_connection(self, self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def open_writer(self) -> AsyncIterator[AsyncConnection]:
        """Open the writer once the writes before are done."""
        async with self._wait_turn(), open_connection(self, self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def open_migrator(self) -> AsyncIterator[AsyncConnection]:
        """Open a writer for which foreign keys are off, since SQLite changes a table by making it anew.

        check_migrated then looks at all of them at once.
        """
        engine = self._create_engine("BEGIN IMMEDIATE", 0, ())
        try:
            async with self._wait_turn(), open_connection(self, engine) as connection:
                yield connection
        finally:
            await engine.dispose()

    def insert_or_ignore(self, table: Table) -> Insert:
        """Return an insert that leaves a row alone which has one of its unique keys."""
        return insert(table).on_conflict_do_nothing()

    def upsert(self, table: Table, change: Changes) -> Insert:
        """Return an insert that changes the row with the same primary key."""
        statement = insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns), set_=change(statement.excluded)
        )

    def translate_error(self, error: Exception) -> KeisanError | None:
        """Return what SQLite's error means to callers."""
        if isinstance(error, OverflowError | UnicodeError):
            return InvalidInput("a value is beyond what can be stored", inside=str(error))
        if isinstance(error, IntegrityError):
            return _translate_constraint(getattr(error.orig, "sqlite_errorname", ""), str(error.orig))
        if isinstance(error, DatabaseError | PoolTimeout | sqlite3.Error | OSError | TimeoutError):
            return StorageUnavailable("the database cannot be reached or is busy", str(error))
        return None

    async def prepare_days(self, connection: AsyncConnection, days: frozenset[date]) -> None:
        """Do nothing: there is one plain table."""

    async def lock_gateways(self, connection: AsyncConnection, gateway_ids: Sequence[UUID]) -> None:
        """Do nothing: there is one writer."""

    async def lock_shares(self, connection: AsyncConnection) -> None:
        """Do nothing: there is one writer."""

    async def hold_days(self, connection: AsyncConnection) -> None:
        """Do nothing: a view sees what was there when it began."""

    async def drop_day(self, connection: AsyncConnection, day: date) -> bool:  # noqa: ARG002  # the contract's
        """Return False: there is one plain table."""
        return False

    async def await_posting(self, connection: AsyncConnection) -> None:
        """Do nothing: there is one writer."""

    async def join_posting(self, connection: AsyncConnection) -> None:
        """Do nothing: there is one writer."""

    def match_any(self, column: AnyColumn, values: Sequence[object]) -> ColumnElement[bool]:
        """Return the condition with one parameter for each value."""
        return column.in_(values)

    async def copy_columns(
        self, connection: AsyncConnection, table: Table, columns: Mapping[str, Sequence[object]]
    ) -> None:
        """Insert the rows one by one, by one prepared statement."""
        bound = bind_columns(connection.dialect, table, columns)
        # Only names of columns that the code itself declares go into the text.
        text = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # see above
        await connection.exec_driver_sql(text, bound)

    async def check_migrated(self, connection: AsyncConnection) -> None:
        """Raise InvariantBroken if a row names what is not there."""
        found = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).first()
        if found is not None:
            raise InvariantBroken("a migration left a row that names what is not there", str(tuple(found)))

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def _wait_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await self._writing.acquire()
        except TimeoutError as error:
            raise StorageUnavailable(f"the database was busy with other writes for {WAIT_S_MAX:.0f} s") from error
        try:
            yield
        finally:
            self._writing.release()

    def _create_engine(self, begin: str, connections_max: int, pragmas: Sequence[str]) -> AsyncEngine:
        pool: dict[str, Any] = {"poolclass": NullPool}
        if connections_max:
            pool = {"pool_size": connections_max, "max_overflow": 0, "pool_timeout": WAIT_S_MAX}
        url = URL.create("sqlite+aiosqlite", database=str(self._path))
        engine = create_async_engine(
            url, async_creator=lambda: create_connection(self._path), hide_parameters=True, **pool
        )

        def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
            # The driver must not begin transactions of its own: `start` does, in the way this engine is for.
            connection.isolation_level = None
            cursor = connection.cursor()
            common = (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL")
            for pragma in (*common, *pragmas):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine.sync_engine, "connect", prepare)
        event.listen(engine.sync_engine, "begin", start)
        return engine


def _translate_constraint(name: str, text: str) -> KeisanError:
    if name in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"):
        return AlreadyExists("a unique name or id is taken", text)
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return StateConflict("something named here does not exist, or something still depends on it", text)
    return InvariantBroken("the database refused a row that must never be", text)
