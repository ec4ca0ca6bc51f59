"""Usage records: each once whatever happens, sums exact, refused ones kept (R12)."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import InvalidInput, InvariantBroken, NotFound
from keisan.domain.ids import ProjectId, RecordId, TicketId
from keisan.domain.page import PageRequest
from keisan.domain.price import TokenClass
from keisan.domain.usage import UsageRecord, UsageSource
from keisan.domain.usage_sum import UsageFilter, UsageSum
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, create_model, create_price, plant_world
from tests.storage.rows import execute, fetch_value

EVERYTHING = PlatformScope()
DAY = NOW.date()
TODAY = UsageFilter(DAY, DAY)
EVER = UsageFilter(date(1970, 1, 1), date(2200, 1, 1))
LONG_AGO = date(1999, 12, 31)
FAR_AWAY = date(2150, 6, 1)


def copy_record(record: UsageRecord, **changes: Any) -> UsageRecord:
    return replace(record, **({"id": RecordId(create_id())} | changes))


async def insert(storage: Database, *records: UsageRecord) -> frozenset[RecordId]:
    async with storage.write() as transaction:
        return await transaction.usage.insert_many(records)


async def test_record_comes_back_as_it_went_in(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    bare = copy_record(record, quantities={}, first_byte_us=None, usage_source=UsageSource.NONE, amount_nano=0)
    assert bare.ticket_id is None
    full = copy_record(
        record, quantities=dict.fromkeys(TokenClass, 3), amount_nano=10**37, ticket_id=TicketId(create_id())
    )
    assert await insert(storage, bare, full) == {bare.id, full.id}
    async with storage.read() as view:
        found = await view.usage.find_many([record.id, bare.id, full.id, RecordId(create_id())])
        assert found == {each.id: (each,) for each in (record, bare, full)}
        assert await view.usage.find_many([]) == {}
        assert await view.usage.get(EVERYTHING, full.id) == full


async def test_same_id_goes_in_once(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    new = copy_record(record)
    repeated = replace(new, amount_nano=1)
    assert await insert(storage, new, repeated, record) == {new.id}
    assert await insert(storage, new, repeated) == frozenset()
    assert await insert(storage) == frozenset()
    async with storage.read() as view:
        assert await view.usage.find_many([new.id]) == {new.id: (new,)}


@pytest.mark.parametrize("days", [1, -1, 400, -40_000, 40_000])
async def test_same_id_on_another_day_is_found_and_not_inserted(storage: Database, days: int) -> None:
    record = (await plant_world(storage)).left.record
    moved = replace(record, day=record.day + timedelta(days=days))
    fresh = copy_record(moved)
    assert await insert(storage, moved, fresh) == {fresh.id}
    async with storage.read() as view:
        assert await view.usage.find_many([record.id]) == {record.id: (record,)}
        assert await view.usage.get(EVERYTHING, fresh.id) == fresh


async def test_one_of_many_batches_inserts_an_id(storage: Database) -> None:
    """Batches of one gateway that race with the same ids, on one day and on others, insert each once."""
    record = (await plant_world(storage)).left.record
    wanted = [copy_record(record) for _ in range(20)]

    async def hand_in(days: int) -> frozenset[RecordId]:
        return await insert(storage, *(replace(each, day=DAY + timedelta(days=days % 3)) for each in wanted))

    async with asyncio.TaskGroup() as group:
        batches = [group.create_task(hand_in(days)) for days in range(8)]
    inserted = [record_id for batch in batches for record_id in batch.result()]
    assert sorted(inserted) == sorted(each.id for each in wanted)
    async with storage.read() as view:
        found = await view.usage.find_many(each.id for each in wanted)
    assert [len(records) for records in found.values()] == [1] * len(wanted)


async def test_batch_beyond_the_parameters_of_a_statement(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    many = [copy_record(record) for _ in range(1500)]
    unknown = [RecordId(create_id()) for _ in range(40_000)]
    assert len(await insert(storage, *many)) == 1500
    async with storage.read() as view:
        assert len(await view.usage.find_many([each.id for each in many] + unknown)) == 1500


async def test_sums_by_model_currency_and_source(storage: Database) -> None:
    world = await plant_world(storage)
    record = world.left.record
    other = create_model()
    dear = create_price(other, currency="JPY")
    async with storage.write() as transaction:
        await transaction.models.insert(other)
        await transaction.prices.insert(dear)
    cut = copy_record(record, usage_source=UsageSource.ENGINE_RUNNING, quantities={TokenClass.OUTPUT: 2}, amount_nano=3)
    foreign = copy_record(record, model_id=other.id, price_id=dear.id, quantities={}, amount_nano=0)
    await insert(storage, cut, copy_record(cut), foreign)
    async with storage.read() as view:
        sums = await view.usage.sum(EVERYTHING, TODAY)
        assert await view.usage.sum(EVERYTHING, UsageFilter(DAY + timedelta(days=1), DAY + timedelta(days=2))) == []
    doubled = {token_class: 2 * count for token_class, count in record.quantities.items()}
    expected = [
        UsageSum(record.model_id, "CNY", UsageSource.ENGINE, 2, doubled, 2 * record.amount_nano),
        UsageSum(record.model_id, "CNY", UsageSource.ENGINE_RUNNING, 2, {TokenClass.OUTPUT: 4}, 6),
        UsageSum(other.id, "JPY", UsageSource.ENGINE, 1, {}, 0),
    ]
    assert sums == sorted(expected, key=lambda each: (each.model_id, each.currency, each.usage_source))


async def test_sums_are_exact_far_beyond_64_bits(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    most = 2**63 - 1
    amounts = [10**37 + 1, 10**37 + 10**9, 999_999_999, 1_000_000_000, 0]
    big = [copy_record(record, quantities={TokenClass.INPUT: most}, amount_nano=amount) for amount in amounts]
    wanted = replace(TODAY, key_id=create_id())  # type: ignore[arg-type]  # a new key
    await insert(storage, *(replace(each, key_id=wanted.key_id) for each in big))  # type: ignore[arg-type]  # never None
    async with storage.read() as view:
        (only,) = await view.usage.sum(EVERYTHING, wanted)
    assert only.amount_nano == sum(amounts)
    assert only.quantities == {TokenClass.INPUT: most * len(amounts)}


async def test_filter_narrows_lists_and_sums(storage: Database) -> None:
    world = await plant_world(storage)
    record = world.left.record
    tomorrow = copy_record(record, day=DAY + timedelta(days=1))
    project = copy_record(record, project_id=ProjectId(create_id()))
    await insert(storage, tomorrow, project)
    cases: list[tuple[UsageFilter, set[RecordId]]] = [
        (TODAY, {record.id, world.right.record.id, project.id}),
        (UsageFilter(DAY + timedelta(days=1), DAY + timedelta(days=9)), {tomorrow.id}),
        (replace(EVER, project_id=project.project_id), {project.id}),
        (replace(EVER, key_id=world.right.key.id), {world.right.record.id}),
        (replace(EVER, model_id=world.model.id), {record.id, world.right.record.id, project.id, tomorrow.id}),
        (replace(EVER, model_id=create_model().id), set()),
    ]
    async with storage.read() as view:
        for wanted, expected in cases:
            page = await view.usage.list(EVERYTHING, wanted, PageRequest())
            assert {each.id for each in page.items} == expected
            assert sum(each.call_count for each in await view.usage.sum(EVERYTHING, wanted)) == len(expected)


async def test_pages_are_in_order_over_all_days(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    others = [copy_record(record, day=day) for day in (FAR_AWAY, LONG_AGO, DAY)]
    await insert(storage, *others)
    seen: list[RecordId] = []
    after = None
    async with storage.read() as view:
        while True:
            page = await view.usage.list(EVERYTHING, EVER, PageRequest(after, 2))
            seen += [each.id for each in page.items]
            after = page.next_after
            if after is None:
                break
    assert len(seen) == 5
    assert seen == sorted(seen)


async def test_scope_bounds_lists_sums_and_gets(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        for scope in (OrganizationScope(world.left.organization.id), ProviderScope(world.left.provider.id)):
            page = await view.usage.list(scope, EVER, PageRequest())
            assert page.items == (world.left.record,)
            (only,) = await view.usage.sum(scope, EVER)
            assert only.call_count == 1
            assert await view.usage.get(scope, world.left.record.id) == world.left.record
            with pytest.raises(NotFound):
                await view.usage.get(scope, world.right.record.id)


@pytest.mark.parametrize("refused", [b"{}", b"not json\x00\x01", b"no text \xff", "計算".encode(), b""], ids=repr)
async def test_refused_record_is_kept_once(storage: Database, refused: bytes) -> None:
    world = await plant_world(storage)
    async with storage.write() as transaction:
        await transaction.usage.quarantine_many({}, world.gateway.id, NOW)
        await transaction.usage.quarantine_many({refused: "malformed"}, world.gateway.id, NOW)
        again = {refused: "wrong_day", refused + b"x": "malformed"}
        await transaction.usage.quarantine_many(again, world.gateway.id, NOW)
    async with storage.read() as view:
        assert await view.usage.count_quarantined(EVERYTHING) == 2
        assert await view.usage.count_quarantined(OrganizationScope(world.left.organization.id)) == 0
        assert await view.usage.count_quarantined(ProviderScope(world.left.provider.id)) == 0
    kept = await fetch_value(storage, text("SELECT text FROM quarantined_record ORDER BY length(text)"))
    assert bytes(kept) == refused  # type: ignore[call-overload]  # bytes on both


async def test_negative_amount_is_refused(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    with pytest.raises(InvariantBroken):
        await insert(storage, copy_record(record, amount_nano=-1))


@pytest.mark.parametrize(
    "changes",
    [{"quantities": {TokenClass.INPUT: 2**63}}, {"amount_nano": 10**38}, {"model_digest": "lone \ud800"}],
    ids=["quantity", "amount", "text"],
)
async def test_value_beyond_its_column_is_invalid(storage: Database, changes: dict[str, object]) -> None:
    record = (await plant_world(storage)).left.record
    with pytest.raises(InvalidInput):
        await insert(storage, copy_record(record, **changes))


@pytest.mark.parametrize("statement", ["UPDATE usage_record SET amount_nano = '1'", "DELETE FROM usage_record"])
async def test_records_refuse_changes(storage: Database, statement: str) -> None:
    await plant_world(storage)
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(storage, text(statement))


async def test_suspended_records_are_noted_with_their_reason_for_the_platform(storage: Database) -> None:
    world = await plant_world(storage)
    ticket_id = TicketId(create_id())
    records = [copy_record(world.left.record, ticket_id=ticket_id, amount_nano=10**37 + place) for place in range(3)]
    async with storage.write() as transaction:
        await transaction.usage.suspend_many({records[0].id: "closed", records[2].id: "spent"}, records, NOW)
        await transaction.usage.suspend_many({}, records, NOW)
    async with storage.read() as view:
        noted = (await view.usage.list_suspended(EVERYTHING, PageRequest())).items
        for scope in (OrganizationScope(world.left.organization.id), ProviderScope(world.left.provider.id)):
            assert (await view.usage.list_suspended(scope, PageRequest())).items == ()
        first = await view.usage.list_suspended(EVERYTHING, PageRequest(limit=1))
    assert {(line.record_id, line.code) for line in noted} == {(records[0].id, "closed"), (records[2].id, "spent")}
    one = next(line for line in noted if line.record_id == records[2].id)
    assert (one.day, one.organization_id, one.ticket_id) == (DAY, world.left.organization.id, ticket_id)
    assert (one.amount_nano, one.created_at, one.platform_id) == (10**37 + 2, NOW, world.platform.id)
    assert first.next_after == noted[0].record_id
