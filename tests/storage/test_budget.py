"""Budgets and their steps come back exactly, by holder, and are locked one way only."""

import asyncio
from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.budget import Budget, PeriodKind
from keisan.domain.errors import AlreadyExists, InvariantBroken, NotFound, VersionMismatch
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import Side, create_budget, plant_world

EVERYTHING = PlatformScope()
BIG = 10**37


async def insert(storage: Database, *budgets: Budget) -> None:
    async with storage.write() as transaction:
        for budget in budgets:
            await transaction.budgets.insert(budget)


def build_levels(side: Side) -> tuple[Budget, Budget]:
    """Return a budget of a side's project and one of its organization."""
    project = create_budget(side.key, key_id=None)
    return project, create_budget(side.key, key_id=None, project_id=None, period=PeriodKind.ROLLING, window_s=3600)


async def test_budgets_are_found_by_their_holders(storage: Database) -> None:
    world = await plant_world(storage)
    side, others = world.left, OrganizationScope(world.right.organization.id)
    levels = build_levels(side)
    await insert(storage, *levels)
    holder_ids = [side.key.id, side.project.id, side.organization.id]
    async with storage.read() as view:
        assert set(await view.budgets.list_holders(EVERYTHING, holder_ids)) == {side.budget, *levels}
        assert await view.budgets.list_holders(EVERYTHING, [side.project.id, create_id()]) == (levels[0],)
        assert await view.budgets.list_holders(others, holder_ids) == ()
        assert await view.budgets.list_budgeted(EVERYTHING) == {*holder_ids, world.right.key.id}
        assert await view.budgets.list_budgeted(others) == {world.right.key.id}
        assert await view.budgets.list_budgeted(ProviderScope(side.provider.id)) == frozenset()
        with pytest.raises(InvariantBroken):
            await view.budgets.lock_holders(holder_ids)
    async with storage.write() as transaction:
        locked = await transaction.budgets.lock_holders(reversed(holder_ids))
        assert list(locked) == sorted([side.budget, *levels], key=lambda budget: budget.id)
        assert await transaction.budgets.lock_holders([]) == ()


async def test_holder_has_one_budget_of_a_currency_and_kind_of_period(storage: Database) -> None:
    side = (await plant_world(storage)).left
    twin = create_budget(side.key, period=side.budget.period)
    with pytest.raises(AlreadyExists, match="holder, currency and period"):
        await insert(storage, twin)
    await insert(storage, replace(twin, currency="USD"), create_budget(side.key, period=PeriodKind.MONTH))


async def test_update_moves_no_budget_to_another_holder(storage: Database) -> None:
    world = await plant_world(storage)
    moved = replace(world.left.budget, amount_nano=BIG, key_id=world.right.key.id, version=2)
    async with storage.write() as transaction:
        await transaction.budgets.update(moved)
    async with storage.read() as view:
        stored = await view.budgets.get(EVERYTHING, moved.id)
    assert stored == replace(world.left.budget, amount_nano=BIG, version=2)


async def test_what_was_spent_comes_back_by_step(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = world.left.budget, world.right.budget
    async with storage.write() as transaction:
        await transaction.budgets.change_spent(left.id, {1: BIG, 2: 0, 2**40: 3}, [])
        await transaction.budgets.change_spent(right.id, {1: 5}, [])
        await transaction.budgets.change_spent(left.id, {2: BIG + 1}, [1])
        await transaction.budgets.change_spent(left.id, {}, [])
    own = OrganizationScope(world.right.organization.id)
    async with storage.read() as view:
        found = await view.budgets.list_spent(EVERYTHING, [left.id, right.id])
        assert found == {left.id: {2: BIG + 1, 2**40: 3}, right.id: {1: 5}}
        assert await view.budgets.list_spent(own, [left.id, right.id]) == {right.id: {1: 5}}


async def test_deleted_budget_leaves_nothing_behind(storage: Database) -> None:
    side = (await plant_world(storage)).left
    budget = side.budget
    async with storage.write() as transaction:
        await transaction.budgets.change_spent(budget.id, {1: 5}, [])
    for seen in (replace(budget, version=2), create_budget(side.key)):
        with pytest.raises(VersionMismatch):
            async with storage.write() as transaction:
                await transaction.budgets.delete(seen)
    async with storage.write() as transaction:
        await transaction.budgets.delete(budget)
    async with storage.read() as view:
        with pytest.raises(NotFound):
            await view.budgets.get(EVERYTHING, budget.id)
        assert await view.budgets.list_spent(EVERYTHING, [budget.id]) == {}


async def test_nothing_spent_is_lost_under_the_lock(storage: Database) -> None:
    side = (await plant_world(storage)).left

    async def spend_one() -> None:
        async with storage.write() as transaction:
            (budget,) = await transaction.budgets.lock_holders([side.key.id])
            spent = (await transaction.budgets.list_spent(EVERYTHING, [budget.id])).get(budget.id, {})
            await transaction.budgets.change_spent(budget.id, {1: spent.get(1, 0) + 1}, [])

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(spend_one())
    async with storage.read() as view:
        assert await view.budgets.list_spent(EVERYTHING, [side.budget.id]) == {side.budget.id: {1: 8}}
