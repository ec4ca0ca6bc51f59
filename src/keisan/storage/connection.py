"""A connection as repositories see it: guarded against writes in a read view, with errors of domain only."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Insert, Table
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keisan.domain.errors import InvariantBroken, KeisanError, StorageUnavailable
from keisan.storage.dialect import Changes, Dialect
from keisan.storage.schema import AnyColumn, AnyRow, AnySelect, Values


@contextmanager
def translate_errors(dialect: Dialect) -> Iterator[None]:
    """Raise what the driver raises as an error of domain; an error of a column type passes as it is."""
    try:
        yield
    except dialect.errors as error:
        cause = error.orig if isinstance(error, StatementError) else None
        translated = cause if isinstance(cause, KeisanError) else dialect.translate_error(error)
        if translated is None:
            raise
        raise translated from error


@asynccontextmanager
async def open_connection(dialect: Dialect, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a connection within a transaction, rolled back at the end unless committed. Raises StorageUnavailable.

    A rollback that the database does not answer is none of the block's concern: what is not committed is gone with the connection.
    """
    stack = AsyncExitStack()
    try:
        with translate_errors(dialect):
            connection = await stack.enter_async_context(engine.connect())
            _begun = await connection.begin()
        yield connection
    finally:
        with suppress(StorageUnavailable), translate_errors(dialect):
            await stack.aclose()


class GuardedConnection:
    """Runs statements. `has_failed` is set once the database refused one: PostgreSQL then takes no more."""

    def __init__(self, connection: AsyncConnection, dialect: Dialect, *, is_writable: bool) -> None:
        self._connection = connection
        self._dialect = dialect
        self._is_writable = is_writable
        self.has_failed = False

    async def fetch_all(self, statement: AnySelect) -> Sequence[AnyRow]:
        """Return all rows."""
        with self._watch():
            return (await self._connection.execute(statement)).mappings().all()

    async def fetch_first(self, statement: AnySelect) -> AnyRow | None:
        """Return the first row, or None."""
        with self._watch():
            return (await self._connection.execute(statement)).mappings().first()

    async def fetch_locked(self, statement: AnySelect, *, is_skipping: bool = False) -> Sequence[AnyRow]:
        """Return all rows, locked until commit; raises InvariantBroken in a read view."""
        self.require_writable()
        return await self.fetch_all(statement.with_for_update(skip_locked=is_skipping))

    async def change(self, statement: Executable, rows: Values | Sequence[Values] | None = None) -> int:
        """Run a write and return how many rows it touched (not meaningful with many `rows`).

        `rows` are one row's values or many rows': beside the statement they cost half of what they do within it. Raises
        InvariantBroken in a read view.
        """
        self.require_writable()
        with self._watch():
            return (await self._connection.execute(statement, rows)).rowcount

    async def insert_or_ignore(self, table: Table, row: Values) -> bool:
        """Insert a row unless one of its unique keys is taken, and tell whether it went in."""
        return await self.change(self._dialect.insert_or_ignore(table), row) == 1

    async def insert_missing(self, table: Table, rows: Sequence[Values]) -> None:
        """Insert those rows of which no unique key is taken."""
        if rows:
            await self.change(self._dialect.insert_or_ignore(table), rows)

    def upsert(self, table: Table, change: Changes) -> Insert:
        """Return an insert that changes the row with the same primary key."""
        return self._dialect.upsert(table, change)

    def match_any(self, column: AnyColumn, values: Sequence[object]) -> ColumnElement[bool]:
        """Return the condition that a column has one of these values, however many."""
        return self._dialect.match_any(column, values)

    async def copy_columns(self, table: Table, columns: Mapping[str, Sequence[object]]) -> None:
        """Insert many rows, given by their columns."""
        self.require_writable()
        with self._watch():
            await self._dialect.copy_columns(self._connection, table, columns)

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make room for usage records of these days."""
        self.require_writable()
        with self._watch():
            await self._dialect.prepare_days(self._connection, days)

    async def lock_gateways(self, gateway_ids: Sequence[UUID]) -> None:
        """Let no other transaction insert records of these gateways until this one ends."""
        self.require_writable()
        with self._watch():
            await self._dialect.lock_gateways(self._connection, gateway_ids)

    async def lock_shares(self) -> None:
        """Let no other transaction change shares of rate limits until this one ends."""
        self.require_writable()
        with self._watch():
            await self._dialect.lock_shares(self._connection)

    async def await_posting(self) -> None:
        """Return once every transaction that has inserted usage records by now has ended."""
        self.require_writable()
        with self._watch():
            await self._dialect.await_posting(self._connection)

    async def join_posting(self) -> None:
        """Be one of those whom `await_posting` waits for, until this transaction ends."""
        self.require_writable()
        with self._watch():
            await self._dialect.join_posting(self._connection)

    async def hold_days(self) -> None:
        """Let no day of usage records be dropped until this view or transaction ends."""
        with self._watch():
            await self._dialect.hold_days(self._connection)

    async def drop_day(self, day: date) -> bool:
        """Drop what holds one day's usage records alone; False if nothing does."""
        self.require_writable()
        with self._watch():
            return await self._dialect.drop_day(self._connection, day)

    def require_writable(self) -> None:
        """Raise InvariantBroken in a read view, and after the database has refused a statement."""
        if not self._is_writable:
            raise InvariantBroken("nothing is written in a read view")
        self.require_whole()

    def require_whole(self) -> None:
        """Raise InvariantBroken after the database has refused a statement: the block cannot go on from there."""
        if self.has_failed:
            raise InvariantBroken("a transaction ends with the first statement that the database refuses")

    @contextmanager
    def _watch(self) -> Iterator[None]:
        try:
            with translate_errors(self._dialect):
                yield
        except BaseException:
            self.has_failed = True
            raise
