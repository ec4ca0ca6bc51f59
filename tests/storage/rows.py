"""Statements that go behind the repositories' back, as a careless or hostile operator's would."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable, text

from keisan.storage.connection import translate_errors
from keisan.storage.database import Database
from keisan.storage.sqlite import SqliteDialect


async def execute(storage: Database, *statements: Executable) -> None:
    """Run statements in one transaction and commit it; raises what the database's refusal means."""
    async with storage._dialect.open_writer() as connection:
        with translate_errors(storage._dialect):
            for statement in statements:
                await connection.execute(statement)
            await connection.commit()


async def execute_unguarded(storage: Database, tables: Sequence[str], *changes: str) -> None:
    """Run changes that the triggers of append-only tables refuse."""
    if isinstance(storage._dialect, SqliteDialect):
        before = [f"DROP TRIGGER refuse_{verb}_{table}" for table in tables for verb in ("update", "delete")]
        after = []
    else:
        # Tests share this database: its guards stand again afterwards.
        before = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables]
        after = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables]
    await execute(storage, *map(text, [*before, *changes, *after]))


async def fetch_value(storage: Database, statement: Executable) -> object:
    """Return the first column of the first row."""
    async with storage._dialect.open_reader() as connection:
        with translate_errors(storage._dialect):
            return await connection.scalar(statement)


async def fetch_rows(storage: Database, statement: Executable) -> Sequence[Sequence[Any]]:
    """Return all rows, each with its columns in order."""
    async with storage._dialect.open_reader() as connection:
        with translate_errors(storage._dialect):
            return (await connection.execute(statement)).all()
