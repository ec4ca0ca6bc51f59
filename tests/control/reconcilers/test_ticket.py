"""Tickets: ended once they have expired and no sooner, whatever happens between the look and the write."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.control.reconcilers.ticket import TicketChange, TicketReconciler
from keisan.domain.access import PlatformScope
from keisan.domain.errors import VersionMismatch
from keisan.domain.ids import TicketId
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.kit.ids import create_id
from keisan.ledger.rule_ticket import close_ticket
from keisan.storage.database import Database
from tests.domain.samples import build_ticket
from tests.factories import NOW, World

TERMS = CreditTerms(lease_s=100, lateness_s=50, renew_s=10)
RECONCILER = TicketReconciler(TERMS)
EXPIRES_AT = NOW + timedelta(seconds=100)
# The lease, what of it may not be written down yet, and the window.
END = NOW + timedelta(seconds=155)


async def plant_ticket(storage: Database, world: World) -> Ticket:
    ticket = build_ticket(
        id=TicketId(create_id()),
        platform_id=world.platform.id,
        organization_id=world.left.organization.id,
        gateway_id=world.gateway.id,
        posted_nano=40,
        expires_at=EXPIRES_AT,
        created_at=NOW,
    )
    async with storage.write() as transaction:
        await transaction.tickets.insert(ticket)
    return ticket


async def test_missing_ticket_is_no_work(storage: Database, world: World) -> None:
    async with storage.read() as view:
        assert await RECONCILER.load(view, create_id()) is None


async def test_ticket_ends_when_its_time_is_over_with_an_event(storage: Database, world: World) -> None:
    ticket = await plant_ticket(storage, world)
    async with storage.read() as view:
        state = await RECONCILER.load(view, ticket.id)
    assert state == ticket
    async with storage.write() as transaction:
        assert await RECONCILER.apply(transaction, RECONCILER.decide(state, END), END) is None
    async with storage.read() as view:
        assert await view.tickets.get(PlatformScope(), ticket.id) == close_ticket(ticket, END)
        (event,) = await view.events.list(PlatformScope(), 0, 10)
    assert (event.actor, event.action, event.noun_id) == ("control", "ticket.closed", ticket.id)
    assert (event.detail["posted_nano"], event.detail["freed_nano"]) == ("40", "60")


async def test_ticket_that_lives_is_looked_at_again_when_it_would_end(storage: Database, world: World) -> None:
    ticket = await plant_ticket(storage, world)
    before = END - timedelta(microseconds=1)
    change = RECONCILER.decide(ticket, before)
    assert change == TicketChange(ticket, is_over=False)
    async with storage.write() as transaction:
        assert await RECONCILER.apply(transaction, change, before) == END


async def test_closed_ticket_is_done_with(storage: Database, world: World) -> None:
    closed = close_ticket(await plant_ticket(storage, world), NOW)
    async with storage.write() as transaction:
        assert await RECONCILER.apply(transaction, RECONCILER.decide(closed, END), END) is None
        assert await transaction.events.get_last_sequence(PlatformScope()) == 0


async def test_word_that_comes_between_look_and_write_saves_the_ticket(storage: Database, world: World) -> None:
    ticket = await plant_ticket(storage, world)
    renewed = replace(ticket, expires_at=END)
    async with storage.write() as transaction:
        await transaction.tickets.update_many([renewed])
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await RECONCILER.apply(transaction, RECONCILER.decide(ticket, END), END)
    async with storage.read() as view:
        assert (await view.tickets.get(PlatformScope(), ticket.id)).state is TicketState.OPEN
