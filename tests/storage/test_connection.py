"""The guard: what passes it, and what becomes of errors that are not the database's."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ArgumentError

from keisan.domain.errors import InvariantBroken, StorageUnavailable
from keisan.storage.connection import GuardedConnection, translate_errors
from keisan.storage.database import Database
from keisan.storage.organization import organization
from tests.factories import create_organization
from tests.storage.rows import execute


async def test_read_view_is_read_only_for_the_database_too(storage: Database) -> None:
    async with storage._dialect.open_reader() as connection:
        unguarded = GuardedConnection(connection, storage._dialect, is_writable=True)
        with pytest.raises((InvariantBroken, StorageUnavailable), match=r"read-?only"):
            await unguarded.change(organization.delete())


async def test_guard_locks_in_a_write_only(storage: Database) -> None:
    async with storage._dialect.open_reader() as connection:
        guarded = GuardedConnection(connection, storage._dialect, is_writable=False)
        with pytest.raises(InvariantBroken):
            await guarded.fetch_locked(select(organization))
        assert await guarded.fetch_all(select(organization)) == []
        assert not guarded.has_failed


async def test_failed_statement_spoils_the_transaction(storage: Database) -> None:
    async with storage._dialect.open_writer() as connection:
        guarded = GuardedConnection(connection, storage._dialect, is_writable=True)
        with pytest.raises(StorageUnavailable):
            await guarded.change(text("DELETE FROM nothing"))
        assert guarded.has_failed
        with pytest.raises(InvariantBroken):
            guarded.require_writable()


async def test_error_of_the_block_passes_as_it_is(storage: Database) -> None:
    for error in (TimeoutError("mine"), OSError("mine"), OverflowError("mine"), UnicodeError("mine")):
        for door in (storage.read, storage.write):
            with pytest.raises(type(error), match="mine"):
                async with door():
                    raise error


async def test_error_without_meaning_passes_as_it_is(storage: Database) -> None:
    with pytest.raises(ArgumentError), translate_errors(storage._dialect):
        raise ArgumentError("a fault of the program")


async def test_errors_tell_nobody_the_values(storage: Database) -> None:
    taken = create_organization("a secret name")
    async with storage.write() as transaction:
        await transaction.organizations.insert(taken)
    row = {column.name: getattr(taken, column.name) for column in organization.columns}
    with pytest.raises(Exception, match="taken") as caught:
        await execute(storage, organization.insert().values(row))
    assert "a secret name" not in str(caught.value)
