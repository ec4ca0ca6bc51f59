"""A database that fails at one step of a write: before a statement or after it, before the commit, or after it with the answer lost."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

import asyncpg
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from keisan.kit.clock import Clock
from keisan.storage.database import Database
from keisan.storage.dialect import Dialect


class Crash(BaseException):
    """The process ends here: nothing that it would have done after this is done, and nobody catches it."""


class Side(StrEnum):
    """Where a fault lies, beside its step."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Faults:
    """Counts the steps of writers from 1 and fails at step `at`, `times` in a row of tries; None fails nowhere.

    A statement is a step, and a commit is one. `kind` is what is raised there, and `trail` what the steps were.
    """

    at: int | None = None
    side: Side = Side.BEFORE
    kind: type[BaseException] = Crash
    times: int = 1
    trail: list[str] = field(default_factory=list)

    def arm(self, at: int | None, side: Side = Side.BEFORE, kind: type[BaseException] = Crash, times: int = 1) -> None:
        """Fail there from now on, counting anew."""
        self.at, self.side, self.kind, self.times, self.trail = at, side, kind, times, []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do a step, or fail beside it."""
        self.trail.append(name)
        is_hit = len(self.trail) == self.at
        if is_hit and self.side is Side.BEFORE:
            self._fail()
        yield
        if is_hit:
            self._fail()

    def _fail(self) -> None:
        self.times -= 1
        # The next try counts its own steps.
        self.at, self.trail = self.at if self.times else None, []
        raise self.kind("a fault that a test put here")


class _FaultyConnection:
    """A writer's connection whose statements and commit are steps; all else is the connection's own."""

    def __init__(self, connection: AsyncConnection, faults: Faults) -> None:
        self.own = connection
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    async def execute(self, statement: object, *arguments: object) -> object:
        with self._faults.step(" ".join(str(statement).split())[:60]):
            return await self.own.execute(statement, *arguments)  # type: ignore[call-overload]  # passed on as it is

    async def commit(self) -> None:
        with self._faults.step("commit"):
            await self.own.commit()


class _FaultyDialect:
    """A dialect whose writers fail as told; readers do not."""

    def __init__(self, dialect: Dialect, faults: Faults) -> None:
        self._own = dialect
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    @asynccontextmanager
    async def open_writer(self) -> AsyncIterator[_FaultyConnection]:
        async with self._own.open_writer() as connection:
            yield _FaultyConnection(connection, self._faults)

    async def copy_columns(
        self, connection: _FaultyConnection, table: Table, columns: Mapping[str, Sequence[object]]
    ) -> None:
        with self._faults.step(f"copy {table.name}"):
            await self._own.copy_columns(connection.own, table, columns)


def open_faulty(storage: Database, clock: Clock, faults: Faults) -> Database:
    """Return the same database, whose writers fail as told."""
    return Database(cast("Dialect", _FaultyDialect(storage._dialect, faults)), clock)


class Deadlock(asyncpg.exceptions.DeadlockDetectedError):  # type: ignore[misc]  # the driver has no types
    """What the driver raises where PostgreSQL ends a transaction that waits in a ring."""
