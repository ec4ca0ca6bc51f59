"""Due work: taken by one at a time, lost when its lease is, never forgotten when it is put meanwhile."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from keisan.domain.errors import LeaseLost
from keisan.domain.event import EventDraft
from keisan.domain.lease import Lease, WorkNoun
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, create_platform

SITE, DEPLOYMENT = WorkNoun.SITE, WorkNoun.DEPLOYMENT
LIFE = timedelta(seconds=30)
LATER = NOW + timedelta(hours=1)


async def put(storage: Database, noun_id: UUID, due_at: datetime = NOW, noun: WorkNoun = SITE) -> None:
    async with storage.write() as transaction:
        await transaction.outbox.put(noun, noun_id, due_at)


async def take(storage: Database, now: datetime = NOW, most: int = 10) -> list[Lease]:
    async with storage.write() as transaction:
        return list(await transaction.outbox.take(now, LIFE, most))


async def finish(storage: Database, lease: Lease, due_again_at: datetime | None = None) -> None:
    async with storage.write() as transaction:
        await transaction.outbox.finish(lease, due_again_at)


async def complete(storage: Database, lease: Lease, due_again_at: datetime | None = None) -> None:
    """Finish the way the lease loop does when the work is done: in the transaction that checked."""
    async with storage.write() as transaction:
        await transaction.outbox.check(lease, NOW)
        await transaction.outbox.finish(lease, due_again_at)


async def test_due_work_is_leased_once(storage: Database) -> None:
    due, not_due = create_id(), create_id()
    await put(storage, due)
    await put(storage, not_due, NOW + timedelta(microseconds=1))
    (lease,) = await take(storage)
    assert (lease.noun, lease.noun_id, lease.generation, lease.attempt) == (SITE, due, 1, 1)
    assert lease.expires_at == NOW + LIFE
    assert await take(storage) == []
    (other,) = await take(storage, NOW + timedelta(microseconds=1))
    assert other.noun_id == not_due


async def test_due_nouns_are_those_of_what_would_be_taken(storage: Database) -> None:
    async def list_due(now: datetime = NOW) -> frozenset[WorkNoun]:
        async with storage.read() as view:
            return await view.outbox.collect_due_nouns(now)

    assert await list_due() == frozenset()
    later = NOW + timedelta(microseconds=1)
    await put(storage, create_id())
    await put(storage, create_id())
    await put(storage, create_id(), later, noun=DEPLOYMENT)
    assert await list_due() == {SITE}
    assert await list_due(later) == {SITE, DEPLOYMENT}
    first, second = await take(storage)
    assert await list_due() == frozenset()
    assert await list_due(NOW + LIFE) == {SITE, DEPLOYMENT}
    await finish(storage, first)
    await finish(storage, second, later)
    assert await list_due() == frozenset()
    assert await list_due(later) == {SITE, DEPLOYMENT}


async def test_work_of_one_id_is_apart_by_noun(storage: Database) -> None:
    noun_id = create_id()
    await put(storage, noun_id, noun=SITE)
    await put(storage, noun_id, noun=DEPLOYMENT)
    assert {lease.noun for lease in await take(storage)} == {SITE, DEPLOYMENT}


async def test_longest_due_work_comes_first(storage: Database) -> None:
    ids = [create_id() for _ in range(3)]
    for minutes, noun_id in zip((2, 3, 1), ids, strict=True):
        await put(storage, noun_id, NOW - timedelta(minutes=minutes))
    assert [lease.noun_id for lease in await take(storage, most=2)] == [ids[1], ids[0]]


async def test_work_is_due_at_the_earlier_time(storage: Database) -> None:
    noun_id = create_id()
    await put(storage, noun_id, LATER)
    await put(storage, noun_id, NOW)
    await put(storage, noun_id, LATER)
    (lease,) = await take(storage)
    assert lease.generation == 3


async def test_finished_work_is_gone(storage: Database) -> None:
    noun_id = create_id()
    await put(storage, noun_id)
    (lease,) = await take(storage)
    await finish(storage, lease)
    assert await take(storage, LATER) == []
    await put(storage, noun_id)
    (again,) = await take(storage)
    assert (again.generation, again.attempt) == (1, 1)


async def test_finished_work_is_due_again_then(storage: Database) -> None:
    await put(storage, create_id())
    (lease,) = await take(storage)
    await finish(storage, lease, LATER)
    assert await take(storage, LATER - timedelta(microseconds=1)) == []
    assert len(await take(storage, LATER)) == 1


async def test_failures_are_counted_and_done_work_counts_anew(storage: Database) -> None:
    await put(storage, create_id())
    for attempt in (1, 2, 3):
        (lease,) = await take(storage)
        assert lease.attempt == attempt
        await finish(storage, lease, NOW)
    (lease,) = await take(storage)
    await complete(storage, lease, NOW)
    (lease,) = await take(storage)
    assert lease.attempt == 1


async def test_new_work_counts_attempts_anew(storage: Database) -> None:
    noun_id = create_id()
    await put(storage, noun_id)
    (lease,) = await take(storage)
    await finish(storage, lease, NOW)
    await put(storage, noun_id)
    (lease,) = await take(storage)
    assert lease.attempt == 1


@pytest.mark.parametrize("due_again_at", [None, LATER])
async def test_work_put_meanwhile_is_due_at_once(storage: Database, due_again_at: datetime | None) -> None:
    noun_id = create_id()
    await put(storage, noun_id)
    (lease,) = await take(storage)
    await put(storage, noun_id, LATER)
    assert await take(storage) == []
    await complete(storage, lease, due_again_at)
    (again,) = await take(storage)
    assert (again.noun_id, again.generation) == (noun_id, 2)


async def test_work_put_by_its_own_apply_is_due_at_once(storage: Database) -> None:
    noun_id = create_id()
    await put(storage, noun_id)
    (lease,) = await take(storage)
    async with storage.write() as transaction:
        await transaction.outbox.check(lease, NOW)
        await transaction.outbox.finish(lease, None)
        await transaction.outbox.put(SITE, noun_id, NOW)
    assert len(await take(storage)) == 1


async def test_work_put_is_taken_in_its_transaction(storage: Database) -> None:
    async with storage.write() as transaction:
        await transaction.outbox.put(SITE, create_id(), NOW)
        assert len(await transaction.outbox.take(NOW, LIFE, 1)) == 1


async def test_lease_runs_out_and_is_lost(storage: Database) -> None:
    await put(storage, create_id())
    (lost,) = await take(storage)
    for now in (lost.expires_at, LATER):
        with pytest.raises(LeaseLost):
            async with storage.write() as transaction:
                await transaction.outbox.check(lost, now)
    assert await take(storage, lost.expires_at - timedelta(microseconds=1)) == []
    (held,) = await take(storage, lost.expires_at)
    assert (held.noun_id, held.attempt) == (lost.noun_id, 2)
    with pytest.raises(LeaseLost):
        await finish(storage, lost)
    async with storage.write() as transaction:
        await transaction.outbox.check(held, NOW)


async def test_lost_lease_writes_nothing(storage: Database) -> None:
    async with storage.write() as transaction:
        await transaction.platform.insert(create_platform())
    await put(storage, create_id())
    (lost,) = await take(storage)
    (held,) = await take(storage, LATER)

    async def fail() -> None:
        async with storage.write() as transaction:
            await transaction.events.append(EventDraft("control", "site.ok", None, {}))
            await transaction.outbox.finish(lost, None)

    with pytest.raises(LeaseLost):
        await fail()
    await finish(storage, held, LATER)
    async with storage.write() as transaction:
        assert await transaction.events.append(EventDraft("control", "site.ok", None, {})) is not None
        assert len(await transaction.outbox.take(LATER, LIFE, 10)) == 1


async def test_takers_side_by_side_share_the_work(storage: Database) -> None:
    ids = [create_id() for _ in range(30)]
    async with storage.write() as transaction:
        for noun_id in ids:
            await transaction.outbox.put(SITE, noun_id, NOW)
    async with asyncio.TaskGroup() as group:
        takers = [group.create_task(take(storage, most=5)) for _ in range(8)]
    taken = [lease.noun_id for taker in takers for lease in taker.result()]
    assert len(taken) == len(set(taken))
    rest = await take(storage, most=100)
    assert sorted(taken + [lease.noun_id for lease in rest]) == sorted(ids)


@pytest.mark.postgresql
async def test_taker_passes_by_what_is_being_applied(postgresql_storage: Database) -> None:
    """Its lease has run out, but whoever holds the row's lock is about to finish or to learn that it is lost."""
    await put(postgresql_storage, create_id())
    (slow,) = await take(postgresql_storage)
    other = create_id()
    await put(postgresql_storage, other)
    async with postgresql_storage.write() as transaction:
        await transaction.outbox.check(slow, NOW)
        async with asyncio.timeout(30):
            assert [lease.noun_id for lease in await take(postgresql_storage, LATER)] == [other]


async def test_nobody_waits_in_a_ring(storage: Database) -> None:
    """Work is put while it is applied, with events before and after: no order of these locks two up for ever."""
    async with storage.write() as transaction:
        await transaction.platform.insert(create_platform())
    ids = [create_id() for _ in range(4)]
    draft = EventDraft("control", "site.ok", None, {})

    async def put_all(order: list[UUID]) -> None:
        for _ in range(5):
            async with storage.write() as transaction:
                for noun_id in order:
                    await transaction.outbox.put(SITE, noun_id, NOW)
                    await transaction.events.append(draft)

    async def work() -> None:
        for _ in range(5):
            for lease in await take(storage, most=2):
                async with storage.write() as transaction:
                    await transaction.outbox.check(lease, NOW)
                    await transaction.events.append(draft)
                    await transaction.outbox.put(SITE, ids[0], NOW)
                    await transaction.outbox.finish(lease, None)

    async with asyncio.TaskGroup() as group:
        for job in (put_all(ids), put_all(ids[::-1]), work(), work()):
            group.create_task(job)
    left = {lease.noun_id for lease in await take(storage, most=100)}
    assert ids[0] in left
