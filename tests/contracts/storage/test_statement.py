"""Closed statements on both databases: as they went in, one per holder and period, each seen by its holder."""

from dataclasses import replace
from datetime import date

import pytest

from keisan.domain.access import OrganizationScope, ProviderScope, Scope
from keisan.domain.errors import AlreadyExists, NotFound
from keisan.domain.ids import OrganizationId, ProviderId
from keisan.domain.page import PageRequest
from keisan.domain.statement import HolderKind, Statement, StatementHolder, Totals, find_period
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import create_statement
from tests.settlement import EVERYTHING

SHARED_ID = create_id()
CUSTOMER = StatementHolder(HolderKind.CUSTOMER, SHARED_ID, "CNY")
# The same id on the other side, as nothing forbids.
PROVIDER = StatementHolder(HolderKind.PROVIDER, SHARED_ID, "CNY")


async def insert(storage: Database, *statements: Statement) -> None:
    async with storage.write() as transaction:
        for each in statements:
            await transaction.statements.insert(each)


async def test_statement_comes_back_as_it_went_in(storage: Database) -> None:
    largest = 10**37
    kept = replace(create_statement(CUSTOMER, totals=Totals(2**40, largest, largest, largest)), after_sequence=2**40)
    await insert(storage, kept, other := create_statement(PROVIDER))
    async with storage.read() as view:
        assert await view.statements.get(EVERYTHING, kept.id) == kept
        assert await view.statements.get(EVERYTHING, other.id) == other
    async with storage.write() as transaction:
        assert await transaction.statements.lock(EVERYTHING, kept.id) == kept


async def test_holder_and_period_have_one(storage: Database) -> None:
    first = create_statement(CUSTOMER)
    await insert(storage, first, create_statement(PROVIDER), create_statement(replace(CUSTOMER, currency="USD")))
    await insert(storage, create_statement(CUSTOMER, period=find_period(date(2026, 9, 1))))
    with pytest.raises(AlreadyExists):
        await insert(storage, create_statement(CUSTOMER))
    async with storage.read() as view:
        assert await view.statements.find(EVERYTHING, CUSTOMER, first.period) == first
        assert await view.statements.find(EVERYTHING, CUSTOMER, find_period(date(2026, 8, 1))) is None


async def test_last_is_that_of_the_latest_period_whenever_it_was_made(storage: Database) -> None:
    august = find_period(date(2026, 8, 1))
    october, earlier = create_statement(CUSTOMER), create_statement(CUSTOMER, period=august)
    await insert(storage, october, earlier, create_statement(PROVIDER, period=find_period(date(2026, 11, 1))))
    async with storage.read() as view:
        assert await view.statements.find_last(EVERYTHING, CUSTOMER) == october
        assert await view.statements.find_last(EVERYTHING, CUSTOMER, october.period.first_day) == earlier
        assert await view.statements.find_last(EVERYTHING, CUSTOMER, august.first_day) is None


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (OrganizationScope(OrganizationId(SHARED_ID)), CUSTOMER),
        (ProviderScope(ProviderId(SHARED_ID)), PROVIDER),
        (OrganizationScope(OrganizationId(create_id())), None),
        (ProviderScope(ProviderId(create_id())), None),
    ],
)
async def test_scope_bounds_every_read(storage: Database, scope: Scope, seen: StatementHolder | None) -> None:
    statements = [create_statement(CUSTOMER), create_statement(PROVIDER)]
    await insert(storage, *statements)
    async with storage.write() as transaction:
        page = await transaction.statements.list(scope, PageRequest())
        assert [each.holder for each in page.items] == ([seen] if seen else [])
        for each in statements:
            found = await transaction.statements.find(scope, each.holder, each.period)
            last = await transaction.statements.find_last(scope, each.holder)
            if each.holder == seen:
                assert found == last == await transaction.statements.get(scope, each.id) == each
                assert await transaction.statements.lock(scope, each.id) == each
                continue
            assert found is last is None
            with pytest.raises(NotFound):
                await transaction.statements.get(scope, each.id)
            with pytest.raises(NotFound):
                await transaction.statements.lock(scope, each.id)
