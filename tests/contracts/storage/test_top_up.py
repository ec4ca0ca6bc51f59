"""Decisions on a proposed top-up at the same moment, on both databases: one is taken, and money moves once or not at all."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.top_up import TopUpReconciler
from keisan.control.top_up import approve_top_up, reject_top_up
from keisan.domain.access import OrganizationScope, PlatformScope, Principal, Role
from keisan.domain.errors import AlreadyDecided, NotFound
from keisan.domain.ids import EntryId
from keisan.domain.lease import WorkNoun
from keisan.domain.top_up import TopUp, TopUpState
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.control.people import add_key
from tests.factories import SIGNER, FixedClock, World, plant_world

EVERYTHING = PlatformScope()
ADMINS = 6


@pytest.fixture
async def world(storage: Database) -> World:
    return await plant_world(storage)


@pytest.fixture
def control(storage: Database, clock: FixedClock, world: World) -> Control:
    return Control(storage, clock, world.platform.id, signer=SIGNER)


async def add_admins(control: Control, world: World) -> list[Principal]:
    return [await add_key(control, world.left.project, Role.PLATFORM_ADMIN) for _ in range(ADMINS)]


async def read_end(control: Control, world: World) -> tuple[TopUp, int]:
    """Return the top-up of the left side as it ended, and what its wallet has."""
    async with control.storage.read() as view:
        assert set((await view.accounts.sum_balances(EVERYTHING)).values()) == {0}
        ended = await view.top_ups.get(EVERYTHING, world.left.top_up.id)
        return ended, (await view.accounts.get(EVERYTHING, world.left.wallet_id)).balance_nano


async def test_approvals_at_once_post_once(control: Control, world: World) -> None:
    proposed = world.left.top_up

    async def approve(admin: Principal) -> str:
        try:
            return (await approve_top_up(control, admin, proposed.id)).state
        except AlreadyDecided as fault:
            return fault.code

    admins = await add_admins(control, world)
    outcomes = Counter(await asyncio.gather(*(approve(admin) for admin in admins)))
    assert outcomes == {"posted": 1, "already_decided": ADMINS - 1}
    ended, balance_nano = await read_end(control, world)
    assert (ended.state, ended.version) == (TopUpState.POSTED, 2)
    assert balance_nano == ended.balance_nano == proposed.amount_nano


async def test_approval_rejection_and_end_at_once_are_one(control: Control, clock: FixedClock, world: World) -> None:
    proposed = world.left.top_up
    async with control.storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.TOP_UP, proposed.id, clock.now())
    assert proposed.expires_at is not None
    admins = await add_admins(control, world)
    clock.instant = replace(proposed).created_at

    async def decide(number: int, admin: Principal) -> str:
        try:
            decided = await (approve_top_up if number % 2 else reject_top_up)(control, admin, proposed.id)
        except AlreadyDecided as fault:
            return fault.code
        return decided.state

    loop = LeaseLoop(control, {WorkNoun.TOP_UP: TopUpReconciler()})
    work = [decide(number, admin) for number, admin in enumerate(admins)]
    *outcomes, _ = await asyncio.gather(*work, loop.run_round())
    assert outcomes.count("already_decided") == ADMINS - 1
    ended, balance_nano = await read_end(control, world)
    assert ended.state in outcomes
    assert balance_nano == (proposed.amount_nano if ended.state is TopUpState.POSTED else 0)


async def test_lock_is_within_the_scope(storage: Database, world: World) -> None:
    proposed = world.left.top_up
    async with storage.write() as transaction:
        assert await transaction.top_ups.lock(OrganizationScope(world.left.organization.id), proposed.id) == proposed
        for scope, top_up_id in (
            (OrganizationScope(world.right.organization.id), proposed.id),
            (EVERYTHING, EntryId(create_id())),
        ):
            with pytest.raises(NotFound):
                await transaction.top_ups.lock(scope, top_up_id)
