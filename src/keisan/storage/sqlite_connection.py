"""A connection to SQLite that sends each statement to its thread once: the driver sends it four times, to make, run, read and close.

What SQLAlchemy asks of a driver's cursor and connection is in its AsyncIODBAPICursor and AsyncIODBAPIConnection.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import aiosqlite

Description = tuple[tuple[str, None, None, None, None, None, None], ...]
# Of the driver's own cursors, which are not used here.
_ROWS_AT_ONCE = 64


def create_connection(path: Path) -> aiosqlite.Connection:
    """Return a connection that opens its file when it is awaited; raises sqlite3.Error then."""
    return _Connection(lambda: sqlite3.connect(path, factory=_ThreadConnection), _ROWS_AT_ONCE)


class _Rows(list[Any]):
    """All that a statement found, with what its cursor told before it was closed."""

    description: Description | None = None
    rowcount: int = -1
    lastrowid: int | None = None


class _ThreadCursor(sqlite3.Cursor):
    """On the thread: it is read whole, and closed."""

    def fetchall(self) -> _Rows:
        rows = _Rows(super().fetchall())
        rows.description, rows.rowcount, rows.lastrowid = self.description, self.rowcount, self.lastrowid
        self.close()
        return rows

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        super().executemany(sql, parameters)
        self.close()
        return self


class _ThreadConnection(sqlite3.Connection):
    def execute(self, sql: str, parameters: Any = (), /) -> _ThreadCursor:
        return self.cursor(_ThreadCursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> _ThreadCursor:
        return self.cursor(_ThreadCursor).executemany(sql, parameters)


class _Cursor:
    """On the loop: it holds what was read until it is taken."""

    arraysize = 1

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._rows: Iterable[Any] = _Rows()
        self.description: Description | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        rows = await self._connection.execute_fetchall(sql, parameters)
        assert isinstance(rows, _Rows)
        self.description, self.rowcount, self.lastrowid = rows.description, rows.rowcount, rows.lastrowid
        self._rows = rows

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        self.rowcount = (await self._connection.executemany(sql, parameters)).rowcount

    async def fetchall(self) -> Iterable[Any]:
        rows, self._rows = self._rows, _Rows()
        return rows

    async def close(self) -> None:
        """Do nothing: it was closed on the thread."""


class _Connection(aiosqlite.Connection):
    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        # One that nobody closes must not keep the process from ending.
        self._thread.daemon = True

    def cursor(self) -> _Cursor:  # type: ignore[override]  # the driver's needs a thread's turn to be made
        return _Cursor(self)
