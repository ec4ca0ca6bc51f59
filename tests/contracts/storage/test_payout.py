"""Payouts on both databases: one for a statement, never changed, each seen by its provider."""

import pytest
from sqlalchemy import text

from keisan.domain.access import OrganizationScope, ProviderScope, Scope
from keisan.domain.errors import AlreadyExists, InvariantBroken, NotFound
from keisan.domain.page import PageRequest
from keisan.domain.payout import Payout
from keisan.domain.statement import HolderKind, Statement, StatementHolder
from keisan.storage.database import Database
from tests.factories import World, create_payout, create_statement, plant_world
from tests.settlement import EVERYTHING
from tests.storage.rows import execute


async def plant_payout(storage: Database) -> tuple[World, Payout]:
    world = await plant_world(storage)
    statement = create_statement(StatementHolder(HolderKind.PROVIDER, world.left.provider.id, "CNY"))
    payout = create_payout(statement, 10**37)
    async with storage.write() as transaction:
        await transaction.statements.insert(statement)
        await transaction.payouts.insert(payout)
    return world, payout


async def test_payout_comes_back_as_it_went_in_to_who_may_see_it(storage: Database) -> None:
    world, payout = await plant_payout(storage)
    strangers: list[Scope] = [
        OrganizationScope(world.left.organization.id),
        ProviderScope(world.right.provider.id),
    ]
    async with storage.read() as view:
        seers: list[Scope] = [EVERYTHING, ProviderScope(world.left.provider.id)]
        for scope in seers:
            assert await view.payouts.get(scope, payout.id) == payout
            assert await view.payouts.find(scope, payout.statement_id) == payout
            assert (await view.payouts.list(scope, PageRequest())).items == (payout,)
        for scope in strangers:
            assert await view.payouts.find(scope, payout.statement_id) is None
            assert (await view.payouts.list(scope, PageRequest())).items == ()
            with pytest.raises(NotFound):
                await view.payouts.get(scope, payout.id)


async def test_statement_has_one(storage: Database) -> None:
    _, payout = await plant_payout(storage)
    statement = await load_statement(storage, payout)
    with pytest.raises(AlreadyExists):
        async with storage.write() as transaction:
            await transaction.payouts.insert(create_payout(statement))


async def load_statement(storage: Database, payout: Payout) -> Statement:
    async with storage.read() as view:
        return await view.statements.get(EVERYTHING, payout.statement_id)


@pytest.mark.parametrize("change", ["UPDATE payout SET note = ''", "DELETE FROM payout"])
async def test_payout_is_never_changed(storage: Database, change: str) -> None:
    await plant_payout(storage)
    with pytest.raises(InvariantBroken, match="append-only"):
        await execute(storage, text(change))
