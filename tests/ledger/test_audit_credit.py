"""Guests in a real SQLite file: gateways are leased what the home's ticket leaves, and the home owes what they spend."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.account import AccountKind
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import CreditSide, CrossChargeState, PlatformTicketState
from keisan.ledger.audit_credit import CreditAudit, audit_conserved
from keisan.ledger.rule_platform_ticket import name_receivable
from tests.domain.credit_samples import OTHER_ID, create_cross_charge, create_platform_ticket
from tests.factories import NOW, create_budget, create_organization
from tests.ledger.credit_pair import WHOLESALE_NANO, audit, pin_world, plant_guest, plant_ticket, read_ticket
from tests.ledger.credit_world import (
    EVERYTHING,
    OUTPUT_NANO,
    Gateway,
    list_balances,
    list_open,
    list_refused,
    list_tickets,
    top_up,
)
from tests.ledger.intake_world import IntakeWorld

CALL_NANO = 10 * OUTPUT_NANO
SERVING = CreditSide.SERVING


@pytest.fixture
async def ledger(ledger: IntakeWorld) -> IntakeWorld:
    """The planted platform with its journal opened, so that it can be audited."""
    async with ledger.storage.write() as transaction:
        await ledger.journal.write_opening(transaction)
    return ledger


async def test_guest_is_served_on_its_homes_ticket_which_owes_the_wholesale_price(
    ledger: IntakeWorld, gateway: Gateway
) -> None:
    guest = await plant_guest(ledger)
    ticket = await plant_ticket(ledger, guest, 2 * CALL_NANO, side=SERVING)
    await gateway.exchange((guest, CALL_NANO))
    assert gateway.count_free(guest) == CALL_NANO
    assert gateway.begin_call(guest, CALL_NANO)
    gateway.end_call(100)
    assert await gateway.upload() == ["created"]
    found = await read_ticket(ledger.storage, ticket)
    assert (found.spent_nano, found.charged_nano) == (10 * WHOLESALE_NANO, 0)
    async with ledger.storage.read() as view:
        accounts = (await view.accounts.list(EVERYTHING, PageRequest(limit=500))).items
        charges = (await view.cross_charges.list_ticket(EVERYTHING, ticket.id, PageRequest())).items
    receivable = next(each for each in accounts if each.key == name_receivable(OTHER_ID, "CNY"))
    assert receivable.balance_nano == -10 * WHOLESALE_NANO
    assert [(each.wholesale_nano, each.counterparty_id) for each in charges] == [(10 * WHOLESALE_NANO, OTHER_ID)]
    assert all(each.balance_nano == 0 for each in accounts if each.kind is AccountKind.WALLET)
    assert sum((await list_balances(ledger.storage)).values()) == 0
    assert (await audit(ledger)).difference is None


async def test_guest_is_leased_no_more_than_the_ticket_leaves_and_refused_beyond(
    ledger: IntakeWorld, gateway: Gateway, other: Gateway
) -> None:
    guest = await plant_guest(ledger)
    await plant_ticket(ledger, guest, CALL_NANO, side=SERVING)
    await plant_ticket(ledger, guest, CALL_NANO, side=SERVING, state=PlatformTicketState.CLOSED)
    await gateway.exchange((guest, CALL_NANO))
    assert gateway.count_free(guest) == CALL_NANO
    assert gateway.begin_call(guest, CALL_NANO)
    gateway.end_call(100)
    await gateway.exchange()
    answer = await other.exchange((guest, OUTPUT_NANO))
    assert list_refused(answer) == ((guest.organization.id, "CNY"),)
    assert other.count_free(guest) == 0


async def test_guest_without_a_ticket_is_leased_nothing(ledger: IntakeWorld, gateway: Gateway) -> None:
    guest = await plant_guest(ledger)
    assert list_refused(await gateway.exchange((guest, 1))) == ((guest.organization.id, "CNY"),)
    await plant_ticket(ledger, guest, CALL_NANO, side=SERVING, currency="JPY")
    assert list_refused(await gateway.exchange((guest, 1))) == ((guest.organization.id, "CNY"),)
    assert await list_tickets(ledger.storage) == ()


async def test_what_is_over_is_asked_back_from_gateways_and_nothing_is_returned_by_that(
    ledger: IntakeWorld, gateway: Gateway
) -> None:
    guest = await plant_guest(ledger)
    ticket = await plant_ticket(ledger, guest, CALL_NANO, side=SERVING, expires_at=NOW + timedelta(seconds=30))
    await gateway.exchange((guest, CALL_NANO))
    ledger.clock.instant += timedelta(seconds=30)
    for _ in range(3):
        await gateway.exchange((guest, CALL_NANO))
    assert list_open(await list_tickets(ledger.storage)) == []
    assert await read_ticket(ledger.storage, ticket) == ticket


async def test_what_no_ticket_pays_for_any_more_is_suspenses(ledger: IntakeWorld, gateway: Gateway) -> None:
    guest = await plant_guest(ledger)
    ticket = await plant_ticket(ledger, guest, CALL_NANO, side=SERVING)
    await gateway.exchange((guest, CALL_NANO))
    assert gateway.begin_call(guest, CALL_NANO)
    gateway.end_call(100)
    async with ledger.storage.write() as transaction:
        closed = replace(ticket, state=PlatformTicketState.CLOSED)
        await transaction.platform_tickets.update_many([closed])
    assert await gateway.upload() == ["unfunded"]
    assert await read_ticket(ledger.storage, ticket) == closed
    assert (await list_balances(ledger.storage))[AccountKind.SUSPENSE] == -CALL_NANO
    assert (await list_balances(ledger.storage))[AccountKind.PLATFORM_RECEIVABLE] == 0
    assert (await audit(ledger)).difference is None


async def test_own_and_guests_records_come_in_one_batch(ledger: IntakeWorld, gateway: Gateway) -> None:
    guest, side = await plant_guest(ledger), ledger.world.right
    await top_up(ledger.storage, side.organization.id, 2 * CALL_NANO)
    ticket = await plant_ticket(ledger, guest, CALL_NANO, side=SERVING, prices=(pin_world(ledger, 10**6),))
    await gateway.exchange((guest, CALL_NANO), (side, CALL_NANO))
    for each in (guest, side):
        assert gateway.begin_call(each, CALL_NANO)
        gateway.end_call(100)
    assert await gateway.upload() == ["created", "created"]
    # The pinned price is above this platform's own: the home owes what anybody would.
    assert (await read_ticket(ledger.storage, ticket)).spent_nano == CALL_NANO
    assert (await list_balances(ledger.storage))[AccountKind.WALLET] == CALL_NANO
    assert (await audit(ledger)).difference is None


async def test_what_is_leased_to_a_platform_is_set_aside_from_wallet_and_budget(
    ledger: IntakeWorld, gateway: Gateway
) -> None:
    side = ledger.world.left
    await top_up(ledger.storage, side.organization.id, 10 * CALL_NANO)
    # At a rate of 1.5 it sets six calls aside.
    await plant_ticket(ledger, side, 4 * CALL_NANO)
    await gateway.exchange((side, 9 * CALL_NANO))
    assert gateway.count_free(side) == 4 * CALL_NANO
    assert list_refused(await gateway.exchange((side, CALL_NANO))) == ((side.organization.id, "CNY"),)
    budget = create_budget(side.key, project_id=None, key_id=None, amount_nano=11 * CALL_NANO)
    async with ledger.storage.write() as transaction:
        await transaction.budgets.insert(budget)
    await top_up(ledger.storage, side.organization.id, 90 * CALL_NANO)
    await gateway.exchange((side, 9 * CALL_NANO))
    assert gateway.count_free(side) == 5 * CALL_NANO


async def test_money_that_is_not_all_there_is_named(ledger: IntakeWorld, gateway: Gateway) -> None:
    owner = ledger.world.left
    await top_up(ledger.storage, owner.organization.id, 10 * CALL_NANO)
    await plant_ticket(ledger, owner, CALL_NANO)
    await gateway.exchange((owner, CALL_NANO))
    counted = CreditAudit()
    async with ledger.storage.read() as view:
        accounts = (await view.accounts.list(EVERYTHING, PageRequest(limit=500))).items
        (wallet,) = [
            each
            for each in accounts
            if each.kind is AccountKind.WALLET and each.organization_id == owner.organization.id
        ]
        counted.filled[wallet.id] = 10 * CALL_NANO
        assert await audit_conserved(view, [wallet, *accounts], counted) is None
        counted.paid[owner.organization.id, wallet.currency] = 1
        found = await audit_conserved(view, accounts, counted)
    assert found is not None
    assert (found.what, found.where) == ("conserved credit", f"wallet account {wallet.id}")
    assert (await audit(ledger)).difference is None


def test_only_what_was_posted_counts_as_spent() -> None:
    ticket, found = create_platform_ticket(create_organization("o").id), CreditAudit()
    posted = create_cross_charge(ticket, wholesale_nano=7, charged_nano=9)
    found.count([posted, replace(posted, state=CrossChargeState.SUSPENDED), replace(posted, charged_nano=0)])
    assert (found.spent, found.charged) == ({ticket.id: 14}, {ticket.id: 9})
    assert sum(found.paid.values()) == 9
