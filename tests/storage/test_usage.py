"""Usage records: each once whatever happens, sums exact, refused ones kept (R12)."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import AlreadyExists, InvalidInput, InvariantBroken, NotFound
from keisan.domain.ids import ProjectId, RecordId, TicketId
from keisan.domain.page import PageRequest
from keisan.domain.price import TokenClass
from keisan.domain.usage import PostedRecord, UsageRecord, UsageSource
from keisan.domain.usage_sum import UsageFilter, UsageSum
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.samples import ENTRY_ID, build_charge, build_posted, change_record, create_record_id
from tests.factories import NOW, create_model, create_price, plant_world
from tests.storage.rows import execute, fetch_value

EVERYTHING = PlatformScope()
DAY = NOW.date()
TODAY = UsageFilter(DAY, DAY)
EVER = UsageFilter(date(1970, 1, 1), date(2200, 1, 1))
HOUR = timedelta(hours=1)
LONG_AGO = date(1999, 12, 31)
FAR_AWAY = date(2150, 6, 1)


def copy_record(record: UsageRecord, **changes: Any) -> UsageRecord:
    """Return a record like another under a new id of its day."""
    day = changes.get("day", record.day)
    fresh = {"id": create_record_id(datetime(day.year, day.month, day.day, tzinfo=UTC))} if day.year > 1969 else {}
    return change_record(record, **(fresh | changes))


async def insert(storage: Database, *records: UsageRecord) -> None:
    async with storage.write() as transaction:
        await transaction.usage.insert_many([build_posted(record) for record in records])


async def test_record_comes_back_as_it_went_in(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    bare = copy_record(record, quantities={}, first_byte_us=None, usage_source=UsageSource.NONE, amount_nano=0)
    assert bare.ticket_id is None
    full = copy_record(
        record, quantities=dict.fromkeys(TokenClass, 3), amount_nano=10**37, ticket_id=TicketId(create_id())
    )
    charge = build_charge(provider_nano=10**37 - 7, tax_nano=6, chip="H20", currency="JPY")
    async with storage.write() as transaction:
        await transaction.usage.insert_many([build_posted(bare, entry_id=None), PostedRecord(full, charge)])
        await transaction.usage.insert_many([])
    async with storage.read() as view:
        assert await view.usage.get(EVERYTHING, bare.id) == build_posted(bare, entry_id=None)
        assert await view.usage.get(EVERYTHING, full.id) == PostedRecord(full, charge)
        assert await view.usage.list_entry(EVERYTHING, ENTRY_ID) == [PostedRecord(full, charge)]


async def test_digests_tell_which_ids_are_taken(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    days = {record.id: record.day, create_record_id(NOW): record.day, create_record_id(NOW + HOUR): FAR_AWAY}
    async with storage.read() as view:
        assert await view.usage.find_digests(days) == {record.id: record.content_digest}
        assert await view.usage.find_digests({record.id: record.day + timedelta(days=1)}) == {}
        assert await view.usage.find_digests({}) == {}


async def test_same_id_does_not_go_in_twice(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    new = copy_record(record)
    for repeated in ((new, record), (new, new._replace(amount_nano=1))):
        with pytest.raises(AlreadyExists):
            await insert(storage, *repeated)
    async with storage.read() as view:
        assert await view.usage.find_digests({new.id: new.day}) == {}


@pytest.mark.parametrize("days", [1, -1, 400, 10_000])
async def test_record_is_found_on_its_day(storage: Database, days: int) -> None:
    record = (await plant_world(storage)).left.record
    moved = copy_record(record, day=record.day + timedelta(days=days))
    await insert(storage, moved)
    async with storage.read() as view:
        assert (await view.usage.get(EVERYTHING, moved.id)).record == moved


@pytest.mark.parametrize("stranger", [uuid4(), UUID(int=(2**48 - 1) << 80 | 7 << 76)], ids=["version", "year"])
async def test_id_that_no_gateway_makes_is_not_found(storage: Database, stranger: UUID) -> None:
    await plant_world(storage)
    async with storage.read() as view:
        with pytest.raises(NotFound):
            await view.usage.get(EVERYTHING, RecordId(stranger))


async def test_one_of_many_batches_inserts_an_id(storage: Database) -> None:
    """Batches of one gateway that race with the same ids insert each once: each looks under the gateway's lock."""
    record = (await plant_world(storage)).left.record
    wanted = {each.id: each for each in (copy_record(record) for _ in range(20))}

    async def hand_in() -> int:
        async with storage.write() as transaction:
            await transaction.usage.lock_gateways([record.context.gateway_id])
            taken = await transaction.usage.find_digests({each.id: each.day for each in wanted.values()})
            new = [build_posted(each) for record_id, each in wanted.items() if record_id not in taken]
            await transaction.usage.insert_many(new)
        return len(new)

    async with asyncio.TaskGroup() as group:
        batches = [group.create_task(hand_in()) for _ in range(8)]
    assert sorted(batch.result() for batch in batches) == [0] * 7 + [20]


async def test_batch_beyond_the_parameters_of_a_statement(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    many = [copy_record(record) for _ in range(1500)]
    unknown = {create_record_id(NOW): DAY for _ in range(40_000)}
    await insert(storage, *many)
    async with storage.read() as view:
        assert len(await view.usage.find_digests({each.id: DAY for each in many} | unknown)) == 1500


async def test_records_share_their_contexts(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    others = [copy_record(record, project_id=ProjectId(create_id())) for _ in range(2)]
    before = await fetch_value(storage, text("SELECT count(*) FROM usage_context"))
    for _ in range(3):
        await insert(storage, *(copy_record(each) for each in others))
    assert await fetch_value(storage, text("SELECT count(*) FROM usage_context")) == before + 2  # type: ignore[operator]  # a number


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
    await insert(storage, cut, copy_record(cut))
    async with storage.write() as transaction:
        await transaction.usage.insert_many([build_posted(foreign, currency="JPY")])
    async with storage.read() as view:
        sums = await view.usage.sum(EVERYTHING, TODAY)
        assert await view.usage.sum(EVERYTHING, UsageFilter(DAY + timedelta(days=1), DAY + timedelta(days=2))) == []
    doubled = {token_class: 2 * count for token_class, count in record.quantities.items()}
    expected = [
        UsageSum(record.context.model_id, "CNY", UsageSource.ENGINE, 2, doubled, 2 * record.amount_nano),
        UsageSum(record.context.model_id, "CNY", UsageSource.ENGINE_RUNNING, 2, {TokenClass.OUTPUT: 4}, 6),
        UsageSum(other.id, "JPY", UsageSource.ENGINE, 1, {}, 0),
    ]
    assert sums == sorted(expected, key=lambda each: (each.model_id, each.currency, each.usage_source))


async def test_sums_are_exact_far_beyond_64_bits(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    most = 2**63 - 1
    amounts = [10**37 + 1, 10**37 + 10**9, 999_999_999, 1_000_000_000, 0]
    big = [copy_record(record, quantities={TokenClass.INPUT: most}, amount_nano=amount) for amount in amounts]
    wanted = replace(TODAY, key_id=create_id())  # type: ignore[arg-type]  # a new key
    await insert(storage, *(change_record(each, key_id=wanted.key_id) for each in big))
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
        (replace(EVER, project_id=project.context.project_id), {project.id}),
        (replace(EVER, key_id=world.right.key.id), {world.right.record.id}),
        (replace(EVER, model_id=world.model.id), {record.id, world.right.record.id, project.id, tomorrow.id}),
        (replace(EVER, model_id=create_model().id), set()),
    ]
    async with storage.read() as view:
        for wanted, expected in cases:
            page = await view.usage.list(EVERYTHING, wanted, PageRequest())
            assert {each.record.id for each in page.items} == expected
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
            seen += [each.record.id for each in page.items]
            after = page.next_after
            if after is None:
                break
    assert len(seen) == 5
    assert seen == sorted(seen)


async def test_cursor_of_earlier_days_brings_no_days_that_were_not_asked_for(storage: Database) -> None:
    record = (await plant_world(storage)).left.record
    earlier, later = (copy_record(record, day=day) for day in (LONG_AGO, FAR_AWAY))
    await insert(storage, earlier, later)
    asked = UsageFilter(FAR_AWAY, FAR_AWAY)
    async with storage.read() as view:
        page = await view.usage.list(EVERYTHING, asked, PageRequest(earlier.id))
    assert [each.record.id for each in page.items] == [later.id]


async def test_scope_bounds_lists_sums_and_gets(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        for scope in (OrganizationScope(world.left.organization.id), ProviderScope(world.left.provider.id)):
            page = await view.usage.list(scope, EVER, PageRequest())
            assert [each.record for each in page.items] == [world.left.record]
            (only,) = await view.usage.sum(scope, EVER)
            assert only.call_count == 1
            assert (await view.usage.get(scope, world.left.record.id)).record == world.left.record
            with pytest.raises(NotFound):
                await view.usage.get(scope, world.right.record.id)
            of_both = [each.charge.entry_id for each in (await view.usage.list(EVERYTHING, EVER, PageRequest())).items]
            assert of_both == [None, None]


async def test_scope_bounds_the_records_of_an_entry(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = copy_record(world.left.record), copy_record(world.right.record)
    await insert(storage, left, right)
    async with storage.read() as view:
        both = await view.usage.list_entry(EVERYTHING, ENTRY_ID)
        own = await view.usage.list_entry(OrganizationScope(world.left.organization.id), ENTRY_ID)
    assert [each.record.id for each in both] == sorted([left.id, right.id])
    assert [each.record.id for each in own] == [left.id]


@pytest.mark.parametrize("refused", [b"{}", b"not json\x00\x01", b"no text \xff", "計算".encode(), b""], ids=repr)
async def test_refused_record_is_kept_once(storage: Database, refused: bytes) -> None:
    world = await plant_world(storage)
    async with storage.write() as transaction:
        await transaction.usage.quarantine_many({}, world.gateway.id, NOW)
        await transaction.usage.quarantine_many({refused: "malformed"}, world.gateway.id, NOW)
        again = {refused: "wrong_day", refused + b"x": "malformed"}
        await transaction.usage.quarantine_many(again, world.gateway.id, NOW)
    async with storage.read() as view:
        others = (OrganizationScope(world.left.organization.id), ProviderScope(world.left.provider.id))
        assert len((await view.quarantine.list(EVERYTHING, PageRequest())).items) == 2
        for scope in others:
            assert not (await view.quarantine.list(scope, PageRequest())).items
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
    posted = [build_posted(record) for record in records]
    async with storage.write() as transaction:
        await transaction.usage.suspend_many({records[0].id: "closed", records[2].id: "spent"}, posted, NOW)
        await transaction.usage.suspend_many({}, posted, NOW)
    async with storage.read() as view:
        noted = (await view.suspense.list(EVERYTHING, PageRequest())).items
        for scope in (OrganizationScope(world.left.organization.id), ProviderScope(world.left.provider.id)):
            assert (await view.suspense.list(scope, PageRequest())).items == ()
        first = await view.suspense.list(EVERYTHING, PageRequest(limit=1))
    assert {(line.record_id, line.code) for line in noted} == {(records[0].id, "closed"), (records[2].id, "spent")}
    one = next(line for line in noted if line.record_id == records[2].id)
    assert (one.day, one.organization_id, one.ticket_id) == (DAY, world.left.organization.id, ticket_id)
    assert (one.amount_nano, one.created_at, one.platform_id) == (10**37 + 2, NOW, world.platform.id)
    assert first.next_after == noted[0].record_id
