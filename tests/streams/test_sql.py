"""Streams on the database: they are read where they are written, so there is nothing to carry."""

from keisan.storage.database import Database
from keisan.streams.sql import SqlStreams
from tests.streams.log_world import EVERY_BYTE, LEDGER, LINK, append, read_stored


async def test_there_is_nothing_to_carry(sqlite_storage: Database) -> None:
    streams = SqlStreams(sqlite_storage)
    end = await append(sqlite_storage, 2)
    assert await streams.carry() == 0
    items = await streams.read(LINK, LEDGER, end.incarnation, 0, EVERY_BYTE)
    assert list(items) == await read_stored(sqlite_storage)
    # The database is its opener's.
    await streams.close()
    await append(sqlite_storage)
