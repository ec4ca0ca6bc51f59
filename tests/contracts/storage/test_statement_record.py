"""The records of statements on both databases: which are in a span, page by page, and who may see them."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.ids import RecordId
from keisan.domain.page import PageRequest
from keisan.domain.statement import HolderKind, Period, StatementHolder, StatementSpan, find_period
from keisan.domain.usage import PostedRecord
from keisan.storage.database import Database
from keisan.storage.statement_record import find_first_id
from tests.domain.samples import build_posted, create_record_id
from tests.factories import NOW, Side, World, create_record, plant_world
from tests.settlement import EVERYTHING

NOVEMBER = find_period(date(2026, 11, 1))
EDGES = (
    datetime(2026, 10, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 59, 59, 999_000, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
)


def name_span(side: Side, kind: HolderKind, period: Period = NOVEMBER, currency: str = "CNY") -> StatementSpan:
    owner_id = side.organization.id if kind is HolderKind.CUSTOMER else side.provider.id
    return StatementSpan(StatementHolder(kind, owner_id, currency), period, None, 0)


async def insert(storage: Database, world: World, *instants: datetime, currency: str = "CNY") -> list[PostedRecord]:
    """Insert calls of the left organization at the right provider."""
    left, right = world.left, world.right
    posted = []
    for instant in instants:
        record = create_record(left.key, world.price, right.replica, world.gateway)
        record = record._replace(id=create_record_id(instant), day=instant.date(), admitted_at=instant)
        posted.append(build_posted(record, entry_id=None, currency=currency, provider_nano=20_000, tax_nano=500))
    async with storage.write() as transaction:
        await transaction.usage.insert_many(posted)
    return posted


async def list_ids(storage: Database, span: StatementSpan, scope: Scope = EVERYTHING, limit: int = 2) -> list[RecordId]:
    ids: list[RecordId] = []
    page: PageRequest | None = PageRequest(limit=limit)
    async with storage.read() as view:
        while page is not None:
            found = await view.statement_records.list(scope, span, page)
            assert len(found.items) <= limit
            ids += [posted.record.id for posted in found.items]
            page = PageRequest(found.next_after, limit) if found.next_after else None
    return ids


async def test_month_is_from_its_first_moment_to_its_last(storage: Database) -> None:
    world = await plant_world(storage)
    _, first, last, _ = await insert(storage, world, *EDGES)
    planted = {HolderKind.CUSTOMER: world.left.record.id, HolderKind.PROVIDER: world.right.record.id}
    for kind, side in ((HolderKind.CUSTOMER, world.left), (HolderKind.PROVIDER, world.right)):
        expected = [first.record.id, planted[kind], last.record.id]
        assert await list_ids(storage, name_span(side, kind)) == expected
        assert await list_ids(storage, name_span(side, kind), limit=3) == expected


async def test_days_without_a_record_are_passed_over(storage: Database) -> None:
    world = await plant_world(storage)
    await insert(storage, world, *EDGES)
    first_days = {"2026-11-01": "2026-11-01", "2026-11-02": str(NOW.date()), "2026-11-29": "2026-11-30"}
    for kind, side in ((HolderKind.CUSTOMER, world.left), (HolderKind.PROVIDER, world.right)):
        span = name_span(side, kind)
        async with storage.read() as view:
            find = view.statement_records.find_first_day
            for begun, expected in first_days.items():
                period = Period(date.fromisoformat(begun), NOVEMBER.last_day)
                assert await find(EVERYTHING, replace(span, period=period)) == date.fromisoformat(expected)
            assert await find(EVERYTHING, replace(span, period=Period(date(2026, 11, 2), date(2026, 11, 3)))) is None


async def test_sums_are_exact_and_each_side_has_its_own_amount(storage: Database) -> None:
    world = await plant_world(storage)
    posted = await insert(storage, world, *EDGES)
    async with storage.read() as view:
        [customer] = await view.statement_records.sum(EVERYTHING, name_span(world.left, HolderKind.CUSTOMER))
        [provider] = await view.statement_records.sum(EVERYTHING, name_span(world.right, HolderKind.PROVIDER))
    assert (customer.record_count, customer.amount_nano, customer.tax_nano) == (3, 3 * 30_500, 2 * 500)
    assert (provider.record_count, provider.amount_nano, provider.tax_nano) == (3, 2 * 20_000 + 30_500, 0)
    own = world.left
    assert (customer.project_id, customer.key_id, customer.price_id) == (own.project.id, own.key.id, world.price.id)
    assert (provider.site_id, provider.chip) == (world.right.site.id, posted[0].charge.chip)
    assert customer.quantities == {word: 3 * count for word, count in own.record.quantities.items()}


async def test_currencies_are_counted_apart(storage: Database) -> None:
    world = await plant_world(storage)
    [dollars] = await insert(storage, world, NOW, currency="USD")
    span = name_span(world.left, HolderKind.CUSTOMER, currency="USD")
    assert await list_ids(storage, span) == [dollars.record.id]
    async with storage.read() as view:
        holders = await view.statement_records.list_holders(EVERYTHING)
        assert await view.statement_records.list_holders(OrganizationScope(world.left.organization.id)) == []
    assert len(holders) == 6
    assert span.holder in holders
    assert list(holders) == sorted(holders)


async def test_scope_bounds_every_read(storage: Database) -> None:
    world = await plant_world(storage)
    await insert(storage, world, *EDGES)
    scopes: list[Scope] = [
        *(OrganizationScope(side.organization.id) for side in (world.left, world.right)),
        *(ProviderScope(side.provider.id) for side in (world.left, world.right)),
        PlatformScope(),
    ]
    customer, provider = name_span(world.left, HolderKind.CUSTOMER), name_span(world.right, HolderKind.PROVIDER)
    seers = {customer: (scopes[0], scopes[4]), provider: (scopes[3], scopes[4])}
    for span, seeing in seers.items():
        for scope in scopes:
            has_rights = scope in seeing
            assert (len(await list_ids(storage, span, scope)) == 3) is has_rights, (span, scope)
            async with storage.read() as view:
                records = view.statement_records
                assert bool(await records.sum(scope, span)) is has_rights
                assert (await records.find_first_day(scope, span) is not None) is has_rights
                assert await records.has_all(scope, span, await list_ids(storage, span)) is has_rights


async def test_balance_is_the_holders_and_seen_by_it_alone(storage: Database) -> None:
    world = await plant_world(storage)
    holder = name_span(world.left, HolderKind.CUSTOMER).holder
    async with storage.read() as view:
        assert await view.statement_records.get_end(EVERYTHING, holder) == (0, 0)
        nobody = replace(holder, id=create_record_id())
        assert await view.statement_records.get_end(EVERYTHING, nobody) == (0, 0)


def test_first_id_is_below_all_of_its_day() -> None:
    day = NOW.date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert find_first_id(day) < create_record_id(midnight)
    assert find_first_id(date.min).int == 0
    with pytest.raises(OverflowError):
        find_first_id(date.max + date.resolution)
