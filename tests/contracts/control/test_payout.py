"""Payouts on both databases: a provider's closed statement is paid once, from its payable to outside."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from keisan.control.payout import Settled, create_payout
from keisan.domain.access import Role
from keisan.domain.entry import EntryKind, read_header
from keisan.domain.errors import NotFound, PermissionDenied
from keisan.domain.ids import StatementId
from keisan.domain.page import PageRequest
from keisan.domain.payout import PayoutOutcome
from keisan.domain.statement import HolderKind
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.wire.payout import PayoutCreate
from tests.factories import NOW, FixedClock
from tests.settlement import EVERYTHING, Settlement, create_principal, open_settlement

# The planted record, which was never posted, and two that were.
DUE_NANO = 3 * 30_500
POSTED_NANO = 2 * 30_500


@pytest.fixture
async def settlement(storage: Database, clock: FixedClock) -> Settlement:
    """A settlement whose November is closed."""
    opened = await open_settlement(storage, clock)
    for _ in range(2):
        await opened.hand_in(opened.world.left, opened.world.right, NOW)
    clock.instant = datetime(2026, 12, 8, tzinfo=UTC)
    await opened.close("2026-11")
    return opened


async def fill_payable(settlement: Settlement) -> None:
    """Post one record more, of December, so that the payable holds what November's statement says."""
    await settlement.hand_in(settlement.world.left, settlement.world.right, settlement.clock.instant)


async def find_statement(settlement: Settlement, kind: HolderKind = HolderKind.PROVIDER) -> StatementId:
    world = settlement.world
    holder = settlement.name_provider(world.right)
    if kind is HolderKind.CUSTOMER:
        holder = settlement.name_customer(world.left)
    return (await settlement.get_statement(holder, "2026-11")).id


async def pay(settlement: Settlement, statement_id: StatementId, amount_nano: int | None = None) -> Settled:
    body = PayoutCreate(amount_nano=amount_nano, note="reference 7")
    return await create_payout(settlement.control, settlement.admin, statement_id, body)


async def test_payout_moves_what_the_statement_says_once(settlement: Settlement) -> None:
    await fill_payable(settlement)
    statement_id = await find_statement(settlement)
    first = await pay(settlement, statement_id)
    assert (first.outcome, first.payable_nano) == (PayoutOutcome.CREATED, 0)
    assert first.payout is not None
    assert (first.payout.amount_nano, first.payout.statement_id) == (DUE_NANO, statement_id)
    assert await pay(settlement, statement_id) == Settled(PayoutOutcome.EXISTS, first.payout, 0)
    other = await pay(settlement, statement_id, 1)
    assert other == Settled(PayoutOutcome.EXISTS_WITH_DIFFERENT_AMOUNT, first.payout, 0)
    async with settlement.control.storage.read() as view:
        entry = await view.entries.get(EVERYTHING, first.payout.entry_id)
        assert (await view.payouts.list(EVERYTHING, PageRequest())).items == (first.payout,)
        assert (await view.accounts.sum_balances(EVERYTHING)) == {"CNY": 0}
        events = [event for event in await view.events.list(EVERYTHING, 0, 500) if event.action == "payout.created"]
    assert (entry.kind, read_header(entry.header).noun_id) == (EntryKind.PAYOUT, statement_id)
    assert [event.detail["amount_nano"] for event in events] == [str(DUE_NANO)]
    assert (await settlement.ledger.read_balances())[settlement.world.right.provider.id] == 0


async def test_payouts_at_once_pay_once(settlement: Settlement) -> None:
    await fill_payable(settlement)
    # Enough for a second payout, if there were one.
    for _ in range(3):
        await fill_payable(settlement)
    statement_id = await find_statement(settlement)
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(pay(settlement, statement_id)) for _ in range(4)]
    assert Counter(each.result().outcome for each in tries) == {PayoutOutcome.CREATED: 1, PayoutOutcome.EXISTS: 3}
    assert (await settlement.ledger.read_balances())[settlement.world.right.provider.id] == 3 * 30_500


async def test_payable_that_holds_less_pays_nothing(settlement: Settlement) -> None:
    statement_id = await find_statement(settlement)
    assert await pay(settlement, statement_id) == Settled(PayoutOutcome.INSUFFICIENT_CREDIT, None, POSTED_NANO)
    assert (await settlement.ledger.read_balances())[settlement.world.right.provider.id] == POSTED_NANO


async def test_other_amount_than_the_statements_pays_nothing(settlement: Settlement) -> None:
    await fill_payable(settlement)
    settled = await pay(settlement, await find_statement(settlement), DUE_NANO - 1)
    assert settled == Settled(PayoutOutcome.AMOUNT_MISMATCH, None, DUE_NANO)


async def test_customer_is_not_paid(settlement: Settlement) -> None:
    settled = await pay(settlement, await find_statement(settlement, HolderKind.CUSTOMER))
    assert settled == Settled(PayoutOutcome.NOT_A_PROVIDER, None, 0)


async def test_unknown_statement_is_not_found(settlement: Settlement) -> None:
    with pytest.raises(NotFound):
        await pay(settlement, StatementId(create_id()))


@pytest.mark.parametrize("role", [Role.PROVIDER, Role.AUDITOR, Role.ORGANIZATION_ADMIN])
async def test_only_the_platform_pays(settlement: Settlement, role: Role) -> None:
    await fill_payable(settlement)
    principal = create_principal(role, None if role is Role.AUDITOR else settlement.world.right)
    with pytest.raises(PermissionDenied):
        await create_payout(settlement.control, principal, await find_statement(settlement), PayoutCreate())
