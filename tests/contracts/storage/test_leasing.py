"""Gateways, intake and top-ups at the same moment: no money is leased twice, and nobody waits in a ring, on both databases."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from random import Random
from uuid import UUID

import pytest

from keisan.domain.account import AccountKind
from keisan.domain.budget import PeriodKind
from keisan.domain.errors import StateConflict
from keisan.domain.page import PageRequest
from keisan.domain.share import SHARE_WHOLE_PPM
from keisan.ledger.credit import exchange_credit
from keisan.storage.database import Database
from tests.factories import FixedClock, Side, create_budget, create_machine, plant_world
from tests.ledger.credit_world import (
    EVERYTHING,
    OUTPUT_NANO,
    TERMS,
    Gateway,
    list_balances,
    list_open,
    list_shares,
    list_tickets,
    read_books,
    top_up,
)
from tests.ledger.intake_world import IntakeWorld

GATEWAYS = 6
CALL_NANO = 10 * OUTPUT_NANO


@pytest.fixture
async def gateways(storage: Database, clock: FixedClock) -> list[Gateway]:
    """Several gateways of one planted platform."""
    ledger = IntakeWorld(storage, clock, await plant_world(storage))
    machines = [create_machine() for _ in range(GATEWAYS)]
    async with storage.write() as transaction:
        for machine in machines:
            await transaction.machines.insert(machine)
    return [Gateway(machine.id, ledger) for machine in machines]


async def run_together(*work: Awaitable[object]) -> None:
    await asyncio.gather(*work)


async def check_books(storage: Database) -> None:
    accounts, tickets = await read_books(storage)
    assert sum(account.balance_nano for account in accounts) == 0
    for account in accounts:
        own = [ticket for ticket in list_open(tickets) if ticket.organization_id == account.organization_id]
        assert sum(ticket.held_nano for ticket in own) <= max(0, account.balance_nano)


def choose_sides(gateway: Gateway) -> tuple[Side, Side]:
    return gateway.ledger.world.left, gateway.ledger.world.right


async def test_same_money_is_leased_once(storage: Database, gateways: list[Gateway]) -> None:
    left, _ = choose_sides(gateways[0])
    await top_up(storage, left.organization.id, 10 * CALL_NANO)
    for _ in range(3):
        await run_together(*(gateway.exchange((left, 7 * CALL_NANO)) for gateway in gateways))
        await check_books(storage)
    assert sum(gateway.count_free(left) for gateway in gateways) <= 10 * CALL_NANO
    assert sum(ticket.credit_nano for ticket in await list_tickets(storage)) >= 10 * CALL_NANO


async def test_exchanges_uploads_and_top_ups_never_wait_in_a_ring(storage: Database, gateways: list[Gateway]) -> None:
    sides, random = choose_sides(gateways[0]), Random(7)
    for side in sides:
        await top_up(storage, side.organization.id, 60 * CALL_NANO)
    await run_together(*(gateway.exchange(*((side, CALL_NANO) for side in sides)) for gateway in gateways))
    for _ in range(6):
        work: list[Awaitable[object]] = []
        for gateway in gateways:
            for side in random.sample(sides, 2):
                while gateway.begin_call(side, CALL_NANO) and random.random() < 0.8:
                    gateway.end_call(random.choice([10, 50, 100]))
            work += [
                gateway.exchange(*((side, CALL_NANO) for side in random.sample(sides, 2))),
                gateway.upload(),
                top_up(storage, random.choice(sides).organization.id, CALL_NANO),
            ]
        random.shuffle(work)
        await run_together(*work)
        await check_books(storage)
    balances = await list_balances(storage)
    assert balances[AccountKind.SUSPENSE] == 0
    assert balances[AccountKind.PROVIDER_PAYABLE] > 0


async def check_budgets(storage: Database) -> None:
    async with storage.read() as view:
        budgets = (await view.budgets.list(EVERYTHING, PageRequest())).items
        spent = await view.budgets.list_spent(EVERYTHING, [budget.id for budget in budgets])
        tickets = await view.tickets.list_open(EVERYTHING, {budget.organization_id for budget in budgets})
    for budget in budgets:
        held = [ticket.held_nano for ticket in tickets if budget.holder.is_over(ticket.holder)]
        assert sum(spent.get(budget.id, {}).values()) + sum(held) <= budget.amount_nano


async def raise_budget(storage: Database, holder_id: UUID) -> None:
    """Raise the amount of a holder's budget by a call."""
    async with storage.write() as transaction:
        for budget in await transaction.budgets.lock_holders([holder_id]):
            raised = replace(budget, amount_nano=budget.amount_nano + CALL_NANO, version=budget.version + 1)
            await transaction.budgets.update(raised)


async def replace_budget(storage: Database, side: Side) -> None:
    """Take the key's own budget away, with what was counted, and give it another one."""
    async with storage.write() as transaction:
        for budget in await transaction.budgets.lock_holders([side.key.id]):
            await transaction.budgets.delete(budget)
        await transaction.budgets.insert(create_budget(side.key))


async def test_budgets_are_leased_once_and_nobody_waits_in_a_ring(storage: Database, gateways: list[Gateway]) -> None:
    sides, random = choose_sides(gateways[0]), Random(7)
    for side in sides:
        await top_up(storage, side.organization.id, 1000 * CALL_NANO)
        async with storage.write() as transaction:
            for changes in ({"key_id": None}, {"key_id": None, "project_id": None}):
                budget = create_budget(side.key, amount_nano=60 * CALL_NANO, period=PeriodKind.LIFETIME, **changes)
                await transaction.budgets.insert(budget)
    for gateway in gateways:
        await gateway.fetch_snapshot()
    for _ in range(6):
        work: list[Awaitable[object]] = []
        for gateway in gateways:
            for side in random.sample(sides, 2):
                while gateway.begin_call(side, CALL_NANO) and random.random() < 0.8:
                    gateway.end_call(random.choice([10, 50, 100]))
            side = random.choice(sides)
            work += [
                gateway.exchange(*((side, CALL_NANO) for side in random.sample(sides, 2))),
                gateway.upload(),
                raise_budget(storage, random.choice([side.project.id, side.organization.id])),
            ]
        work.append(replace_budget(storage, random.choice(sides)))
        random.shuffle(work)
        await run_together(*work)
        await check_books(storage)
        await check_budgets(storage)
    balances = await list_balances(storage)
    assert balances[AccountKind.SUSPENSE] == 0
    assert balances[AccountKind.PROVIDER_PAYABLE] > 0


async def test_same_report_at_once_is_taken_once(storage: Database, gateways: list[Gateway]) -> None:
    left, _ = choose_sides(gateways[0])
    gateway, clock = gateways[0], gateways[0].ledger.clock
    await top_up(storage, left.organization.id, 100 * CALL_NANO)
    await gateway.exchange()
    report = gateway.report([(left, CALL_NANO)])

    async def send() -> bool:
        try:
            await exchange_credit(storage, clock, TERMS, gateway.gateway_id, report)
        except StateConflict:
            return False
        return True

    sent = await asyncio.gather(*(send() for _ in range(5)))
    assert sorted(sent) == [False] * 4 + [True]
    assert len(await list_tickets(storage)) == 1


async def test_gateways_that_begin_together_are_not_all_alone(storage: Database, gateways: list[Gateway]) -> None:
    answers = await asyncio.gather(*(gateway.exchange() for gateway in gateways))
    assert sum(answer.default_share_ppm for answer in answers) <= SHARE_WHOLE_PPM


async def test_same_share_is_given_once(storage: Database, gateways: list[Gateway]) -> None:
    left, _ = choose_sides(gateways[0])
    async with storage.write() as transaction:
        key = await transaction.keys.get(EVERYTHING, left.key.id)
        limits = replace(key.limits, requests_per_minute=1000)
        await transaction.keys.update(replace(key, limits=limits, version=key.version + 1))
    for _ in range(2):
        await run_together(*(gateway.exchange() for gateway in gateways))
    rates = [{"limit_id": f"key:{key.id}:requests", "share_ppm": 0, "demand_per_minute": 5000}]
    answers = await asyncio.gather(*(gateway.exchange(rates=rates) for gateway in gateways))
    told = [line.share_ppm for answer in answers for line in answer.rates]
    assert len(told) == GATEWAYS
    assert 0 < sum(told) <= SHARE_WHOLE_PPM
    assert sum(share.share_ppm for share in await list_shares(storage)) == sum(told)
