"""Suspended records on both databases: what is noted stays, what is judged is written once locked, the platform sees it."""

import asyncio
from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, ProviderScope, Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import EntryId, KeyId
from keisan.domain.page import PageRequest
from keisan.domain.suspense import SuspendedRecord, SuspenseState
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.deadline import let_time_pass_async
from tests.domain.samples import build_posted, change_record, create_record_id
from tests.factories import NOW, World, plant_world
from tests.settlement import EVERYTHING


async def suspend(storage: Database) -> tuple[World, list[SuspendedRecord]]:
    """Note two records that suspense paid for, in order of id."""
    world = await plant_world(storage)
    ids = sorted(create_record_id(NOW) for _ in range(2))
    posted = [
        build_posted(change_record(world.left.record, id=record_id, amount_nano=10**37), currency="JPY")
        for record_id in ids
    ]
    async with storage.write() as transaction:
        await transaction.usage.suspend_many(dict.fromkeys(ids, "late"), posted, NOW)
        noted = [await transaction.suspense.lock(EVERYTHING, record_id) for record_id in ids]
    return world, noted


async def test_judgement_is_written_and_nothing_else(storage: Database) -> None:
    _, (first, second) = await suspend(storage)
    assert (first.currency, first.amount_nano, first.state) == ("JPY", 10**37, SuspenseState.SUSPENDED)
    judged = replace(
        first,
        state=SuspenseState.CHARGED,
        note="as agreed",
        judged_by=KeyId(create_id()),
        judged_at=NOW,
        entry_id=EntryId(create_id()),
        entry_sequence=7,
    )
    async with storage.write() as transaction:
        await transaction.suspense.judge(replace(judged, amount_nano=1, currency="EUR", code="other"))
    async with storage.read() as view:
        assert await view.suspense.get(EVERYTHING, first.record_id) == judged
        assert (await view.suspense.list(EVERYTHING, PageRequest())).items == (judged, second)
        for state, expected in zip(SuspenseState, [(second,), (judged,), ()], strict=True):
            assert (await view.suspense.list(EVERYTHING, PageRequest(), state)).items == expected
        page = await view.suspense.list(EVERYTHING, PageRequest(limit=1))
        assert (page.items, page.next_after) == ((judged,), first.record_id)


@pytest.mark.parametrize("kind", [OrganizationScope, ProviderScope])
async def test_nobody_else_sees_them(storage: Database, kind: type[OrganizationScope] | type[ProviderScope]) -> None:
    world, (first, _) = await suspend(storage)
    left = world.left
    scope: Scope = (
        OrganizationScope(left.organization.id) if kind is OrganizationScope else ProviderScope(left.provider.id)
    )
    async with storage.write() as transaction:
        assert (await transaction.suspense.list(scope, PageRequest())).items == ()
        for find in (transaction.suspense.get, transaction.suspense.lock):
            with pytest.raises(NotFound):
                await find(scope, first.record_id)
            with pytest.raises(NotFound):
                await find(EVERYTHING, left.record.id)


async def test_who_closes_a_day_waits_for_who_judges(storage: Database) -> None:
    async def await_judging() -> None:
        async with storage.write() as transaction:
            await transaction.statement_records.await_posting()

    async with asyncio.TaskGroup() as group, storage.write() as transaction:
        await transaction.retention.join_posting()
        closing = group.create_task(await_judging())
        # Long enough for one that does not wait to be done.
        await let_time_pass_async(0.5)
        assert not closing.done()
