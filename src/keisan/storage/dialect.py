"""What differs between databases, as one contract: sqlite.py and postgresql.py are its two implementations."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Insert, Table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from keisan.domain.errors import KeisanError
from keisan.storage.schema import AnyColumn

Excluded = ReadOnlyColumnCollection[str, Any]
Changes = Callable[[Excluded], Mapping[str, ColumnElement[Any]]]


class Dialect(Protocol):
    """Connections and the few statements that the two databases write differently."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What its driver raises, as far as translate_error knows it."""
        ...

    def open_reader(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a connection whose transaction is one consistent, read-only view."""
        ...

    def open_writer(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a connection with a transaction that may write; rolled back unless committed."""
        ...

    def open_migrator(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a connection that alone may change the schema until its transaction ends."""
        ...

    def insert_or_ignore(self, table: Table) -> Insert:
        """Return an insert that leaves a row alone which has one of its unique keys."""
        ...

    def upsert(self, table: Table, change: Changes) -> Insert:
        """Return an insert that changes the row with the same primary key as `change` says of the refused row."""
        ...

    def translate_error(self, error: Exception) -> KeisanError | None:
        """Return what a driver's error means to callers, or None if it means nothing to them."""
        ...

    async def prepare_days(self, connection: AsyncConnection, days: frozenset[date]) -> None:
        """Make room for usage records of these days (R12)."""
        ...

    async def lock_gateways(self, connection: AsyncConnection, gateway_ids: Sequence[UUID]) -> None:
        """Let no other transaction insert records of these gateways until this one ends."""
        ...

    async def lock_shares(self, connection: AsyncConnection) -> None:
        """Let no other transaction change shares of rate limits until this one ends."""
        ...

    async def hold_days(self, connection: AsyncConnection) -> None:
        """Let no day of usage records be dropped until this transaction ends; before its view is fixed."""
        ...

    async def drop_day(self, connection: AsyncConnection, day: date) -> bool:
        """Drop the part of the table that holds one day's usage records alone; False if there is no such part."""
        ...

    async def await_posting(self, connection: AsyncConnection) -> None:
        """Return once every transaction that has inserted usage records by now has ended."""
        ...

    async def join_posting(self, connection: AsyncConnection) -> None:
        """Be one of those whom `await_posting` waits for, until this transaction ends."""
        ...

    def match_any(self, column: AnyColumn, values: Sequence[object]) -> ColumnElement[bool]:
        """Return the condition that a column has one of thousands of values."""
        ...

    async def copy_columns(
        self, connection: AsyncConnection, table: Table, columns: Mapping[str, Sequence[object]]
    ) -> None:
        """Insert many rows of these columns the quickest way there is."""
        ...

    async def check_migrated(self, connection: AsyncConnection) -> None:
        """Raise InvariantBroken if a change of the schema left rows that it must not."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
