"""Statements that go behind the repositories' back, as a careless or hostile operator's would."""

from sqlalchemy import Executable

from keisan.storage.connection import translate_errors
from keisan.storage.database import Database


async def execute(storage: Database, *statements: Executable) -> None:
    """Run statements in one transaction and commit it; raises what the database's refusal means."""
    async with storage._dialect.open_writer() as connection:
        with translate_errors(storage._dialect):
            for statement in statements:
                await connection.execute(statement)
            await connection.commit()


async def fetch_value(storage: Database, statement: Executable) -> object:
    """Return the first column of the first row."""
    async with storage._dialect.open_reader() as connection:
        with translate_errors(storage._dialect):
            return await connection.scalar(statement)
