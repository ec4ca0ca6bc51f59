"""Home's books on a real SQLite file: a served call is posted once, within its ticket, whoever repeats what in which order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.account import AccountKind
from keisan.domain.deduction import DeductionKind
from keisan.domain.ids import PlatformId, TicketId
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import CrossChargeCode, CrossChargeState, PlatformTicketState
from keisan.kit.ids import create_id
from keisan.ledger.cross_usage import void_waiting
from tests.factories import NOW, create_budget
from tests.ledger.credit_pair import audit, build_call, note, plant_ticket, post, read_ticket
from tests.ledger.credit_world import EVERYTHING, list_balances, top_up
from tests.ledger.intake_world import IntakeWorld

PAGE = PageRequest()
POSTED, SUSPENDED = CrossChargeState.POSTED, CrossChargeState.SUSPENDED


@pytest.fixture
async def ledger(ledger: IntakeWorld) -> IntakeWorld:
    """The planted platform with its journal opened, so that it can be audited."""
    async with ledger.storage.write() as transaction:
        await ledger.journal.write_opening(transaction)
    return ledger


async def test_served_call_is_paid_by_the_customer_and_owed_to_who_served(ledger: IntakeWorld) -> None:
    side = ledger.world.left
    await top_up(ledger.storage, side.organization.id, 10**6)
    ticket = await plant_ticket(ledger, side, 100_000)
    call = build_call(ticket, 20)
    first = await post(ledger, call, call)
    again = await post(ledger, replace(call, amount_nano=1))
    assert again == first
    charge = first[call.record_id]
    async with ledger.storage.read() as view:
        tax = next(each for each in await view.deductions.list_all(EVERYTHING) if each.kind is DeductionKind.TAX)
    assert tax.rate_ppm
    assert (charge.state, charge.wholesale_nano, charge.charged_nano) == (POSTED, 20_000, 30_000)
    assert charge.tax_nano == round(30_000 * tax.rate_ppm / (10**6 + tax.rate_ppm)) > 0
    balances = await list_balances(ledger.storage)
    assert balances[AccountKind.WALLET] == 10**6 - 30_000
    assert balances[AccountKind.PLATFORM_PAYABLE] == 20_000
    assert balances[AccountKind.TAX] == charge.tax_nano
    assert balances[AccountKind.PLATFORM_REVENUE] == 10_000 - charge.tax_nano
    found = await read_ticket(ledger.storage, ticket)
    assert (found.spent_nano, found.charged_nano, found.waiting_nano) == (20_000, 30_000, 0)
    assert (await audit(ledger)).difference is None


async def test_nothing_beyond_the_ticket_or_of_another_is_ever_the_customers(ledger: IntakeWorld) -> None:
    left, right = ledger.world.left, ledger.world.right
    await top_up(ledger.storage, left.organization.id, 10**6)
    ticket = await plant_ticket(ledger, left, 20_000)
    closed = await plant_ticket(ledger, left, 20_000, state=PlatformTicketState.CLOSED)
    calls = [
        build_call(ticket, 21),
        build_call(closed, 1),
        build_call(ticket, 1, ticket_id=TicketId(create_id())),
        build_call(ticket, 1, organization_id=right.organization.id),
        build_call(ticket, 1),
    ]
    refused = {calls[-1].record_id: CrossChargeCode.REVOKED_PLATFORM}
    found = await post(ledger, *calls, refused=refused)
    assert [found[each.record_id].code for each in calls] == [
        CrossChargeCode.SPENT_TICKET,
        CrossChargeCode.CLOSED_TICKET,
        CrossChargeCode.UNKNOWN_TICKET,
        CrossChargeCode.WRONG_TICKET,
        CrossChargeCode.REVOKED_PLATFORM,
    ]
    assert {each.state for each in found.values()} == {SUSPENDED}
    stranger = build_call(ticket, 1)
    charge = (await post(ledger, stranger, serving_id=PlatformId("cd" * 32)))[stranger.record_id]
    assert charge.code is CrossChargeCode.WRONG_TICKET
    assert await read_ticket(ledger.storage, ticket) == ticket
    assert (await list_balances(ledger.storage))[AccountKind.WALLET] == 10**6
    assert (await audit(ledger)).difference is None


async def test_own_record_waits_until_the_other_ends_comes_or_is_voided(ledger: IntakeWorld) -> None:
    side = ledger.world.left
    await top_up(ledger.storage, side.organization.id, 10**6)
    ticket = await plant_ticket(ledger, side, 100_000)
    served, lonely = build_call(ticket, 10), build_call(ticket, 30, admitted_at=NOW - timedelta(days=1))
    unknown = build_call(ticket, 1, ticket_id=TicketId(create_id()))
    await note(ledger, served, lonely, served, unknown)
    await note(ledger, served)
    assert (await read_ticket(ledger.storage, ticket)).waiting_nano == 40_000
    assert (await list_balances(ledger.storage))[AccountKind.WALLET] == 10**6, "home's record alone moves nothing"
    assert (await audit(ledger)).difference is None
    assert (await post(ledger, served))[served.record_id].state is POSTED
    assert (await read_ticket(ledger.storage, ticket)).waiting_nano == 30_000
    async with ledger.storage.write() as transaction:
        locked = (await transaction.platform_tickets.lock([ticket.id]))[ticket.id]
        await transaction.platform_tickets.update_many([await void_waiting(transaction, locked, NOW)])
    # What comes after that is the other platform's risk.
    late = await post(ledger, lonely)
    assert (late[lonely.record_id].state, late[lonely.record_id].charged_nano) == (CrossChargeState.VOIDED, 0)
    found = await read_ticket(ledger.storage, ticket)
    assert (found.waiting_nano, found.spent_nano) == (0, 10_000)
    assert (await audit(ledger)).difference is None


async def test_other_end_that_names_another_ticket_is_not_paid(ledger: IntakeWorld) -> None:
    side = ledger.world.left
    await top_up(ledger.storage, side.organization.id, 10**6)
    ticket, second = await plant_ticket(ledger, side, 100_000), await plant_ticket(ledger, side, 100_000)
    call = build_call(ticket, 10)
    await note(ledger, call)
    found = await post(ledger, replace(call, ticket_id=second.id))
    assert (found[call.record_id].state, found[call.record_id].code) == (SUSPENDED, CrossChargeCode.WRONG_TICKET)
    assert [await read_ticket(ledger.storage, each) for each in (ticket, second)] == [ticket, second]
    assert (await audit(ledger)).difference is None


async def test_budget_of_the_organization_counts_what_the_customer_paid(ledger: IntakeWorld) -> None:
    side = ledger.world.left
    budget = create_budget(side.key, project_id=None, key_id=None, amount_nano=45_000)
    async with ledger.storage.write() as transaction:
        await transaction.budgets.insert(budget)
    await top_up(ledger.storage, side.organization.id, 10**6)
    ticket = await plant_ticket(ledger, side, 100_000)
    await post(ledger, build_call(ticket, 20), build_call(ticket, 0))
    async with ledger.storage.read() as view:
        spent = await view.budgets.list_spent(EVERYTHING, [budget.id])
    assert sum(spent[budget.id].values()) == 30_000


async def test_audit_names_what_was_changed_behind_its_back(ledger: IntakeWorld) -> None:
    side = ledger.world.left
    await top_up(ledger.storage, side.organization.id, 10**6)
    ticket = await plant_ticket(ledger, side, 100_000)
    await post(ledger, build_call(ticket, 20))
    await note(ledger, build_call(ticket, 5))
    kept = await read_ticket(ledger.storage, ticket)
    for changed, what in [
        (replace(kept, spent_nano=kept.spent_nano + 1), "platform ticket"),
        (replace(kept, charged_nano=0), "platform ticket"),
        (replace(kept, waiting_nano=1), "platform ticket's waiting records"),
        (replace(kept, returned_nano=90_000), "platform ticket's amounts"),
    ]:
        async with ledger.storage.write() as transaction:
            await transaction.platform_tickets.update_many([changed])
        difference = (await audit(ledger)).difference
        assert difference is not None
        assert difference.what == what
    async with ledger.storage.write() as transaction:
        await transaction.platform_tickets.update_many([kept])
        charges = (await transaction.cross_charges.list_ticket(EVERYTHING, ticket.id, PAGE)).items
        charge = next(each for each in charges if each.state is POSTED)
        await transaction.cross_charges.settle_many([replace(charge, wholesale_nano=19_999)])
    difference = (await audit(ledger)).difference
    assert difference is not None
    assert difference.what == "posting"
