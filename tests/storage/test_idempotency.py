"""Kept answers: one per principal and key, the first one's, until they are forgotten."""

import asyncio

import pytest

from keisan.domain.errors import AlreadyExists
from keisan.kit.ids import create_id
from keisan.storage.base import StoredAnswer
from keisan.storage.database import Database
from tests.factories import NOW

ANSWER = StoredAnswer("d1" * 32, 201, '{"name": "計算"}', 'W/"1"')
PRINCIPAL = create_id()


async def keep(storage: Database, answer: StoredAnswer = ANSWER, key: str = "first") -> None:
    async with storage.write() as transaction:
        await transaction.idempotency.insert(PRINCIPAL, key, answer, NOW)


async def test_answer_is_kept_per_principal_and_key(storage: Database) -> None:
    bare = StoredAnswer("d2", 204, "", None)
    await keep(storage)
    await keep(storage, bare, "second")
    async with storage.read() as view:
        assert await view.idempotency.find(PRINCIPAL, "first") == ANSWER
        assert await view.idempotency.find(PRINCIPAL, "second") == bare
        assert await view.idempotency.find(create_id(), "first") is None


async def test_first_answer_stays(storage: Database) -> None:
    await keep(storage)
    with pytest.raises(AlreadyExists):
        await keep(storage, StoredAnswer("d3", 500, "", None))
    async with storage.read() as view:
        assert await view.idempotency.find(PRINCIPAL, "first") == ANSWER


async def test_one_of_many_requests_is_first(storage: Database) -> None:
    async def try_keep(status: int) -> int | None:
        try:
            await keep(storage, StoredAnswer("d", status, "", None))
        except AlreadyExists:
            return None
        return status

    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(try_keep(status)) for status in range(200, 208)]
    first = [attempt.result() for attempt in tries if attempt.result()]
    async with storage.read() as view:
        kept = await view.idempotency.find(PRINCIPAL, "first")
    assert kept is not None
    assert first == [kept.status]
