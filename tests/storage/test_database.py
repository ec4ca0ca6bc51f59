"""Storage as a whole: it answers for its contract and says when it cannot."""

from contextlib import AbstractAsyncContextManager

from keisan.domain.event import EventDraft
from keisan.storage.base import Storage, Transaction
from keisan.storage.database import Database
from tests.factories import FixedClock, create_platform

DRAFT = EventDraft("control", "platform.created", None, {})


def open_view(storage: Storage) -> AbstractAsyncContextManager[Transaction]:
    """Take a database where the contract is asked for: the type checker holds it to that."""
    return storage.read()


async def test_database_is_storage(storage: Database) -> None:
    async with open_view(storage) as view:
        assert await view.platform.find() is None


async def test_check_passes_at_the_newest_revision(storage: Database) -> None:
    await storage.check()


async def test_time_comes_from_the_clock(storage: Database, clock: FixedClock) -> None:
    await clock.sleep(3600)
    async with storage.write() as transaction:
        await transaction.platform.insert(create_platform())
        opened = await transaction.events.append(DRAFT)
    assert opened.created_at == clock.now()
