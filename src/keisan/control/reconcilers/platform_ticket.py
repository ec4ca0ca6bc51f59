"""Platform tickets: home ends what is settled or surely over, the serving platform speaks, stops, and returns.

Nothing is done by silence before the lease, the skew of clocks and the window for late records are over.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.context import Control
from keisan.control.link_place import find_way, load_neighbourhood
from keisan.control.platform_credit import (
    LOOK_HOME_S,
    TERMS,
    count_gateway_tickets,
    end_ticket,
    list_own_prices,
    return_ticket,
    send_word,
)
from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.errors import NotFound, VersionMismatch
from keisan.domain.ids import TicketId
from keisan.domain.link import LinkState
from keisan.domain.platform_ticket import CreditSide, PinnedPrice, PlatformTicket, PlatformTicketState
from keisan.federation.rule_credit import CreditStep, GatewayTickets, decide_home, decide_serving
from keisan.ledger.cross_usage import void_waiting
from keisan.ledger.rule_platform_ticket import compute_free_at
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """A ticket as it was seen, with what own gateways hold of it, and whether own prices are other ones than it pins."""

    ticket: PlatformTicket
    gateways: GatewayTickets
    is_outdated: bool


@dataclass(frozen=True, slots=True)
class PlatformTicketChange:
    """The ticket as it was seen, and what is to be done about it."""

    seen: PlatformTicket
    step: CreditStep


@dataclass(frozen=True, slots=True)
class PlatformTicketReconciler:
    """Looks after one ticket of either side."""

    control: Control

    async def load(self, transaction: Transaction, noun_id: UUID) -> TicketFacts | None:
        """Return the ticket with what its gateways have, None if there is no such ticket."""
        try:
            ticket = await transaction.platform_tickets.get(EVERYTHING, TicketId(noun_id))
        except NotFound:
            return None
        gateways = await count_gateway_tickets(transaction, ticket.organization_id, ticket.currency)
        own = await list_own_prices(transaction, self.control, ticket.currency)
        return TicketFacts(ticket, gateways, is_outdated=has_other_prices(ticket, own))

    def decide(self, state: TicketFacts, now: datetime) -> PlatformTicketChange:
        """Return the step of this platform's side."""
        ticket = state.ticket
        if ticket.side is CreditSide.HOME:
            return PlatformTicketChange(ticket, decide_home(ticket, now, TERMS))
        if state.is_outdated and ticket.state is PlatformTicketState.OPEN:
            return PlatformTicketChange(ticket, CreditStep.STOP)
        return PlatformTicketChange(ticket, decide_serving(ticket, state.gateways, now, TERMS))

    async def apply(self, transaction: Transaction, change: PlatformTicketChange, now: datetime) -> datetime | None:
        """Do it under the ticket's lock, and look again while it is not closed.

        Raises VersionMismatch if the ticket was changed since the load.
        """
        seen = change.seen
        if seen.state is PlatformTicketState.CLOSED:
            return None
        locked = (await transaction.platform_tickets.lock([seen.id]))[seen.id]
        if locked != seen:
            raise VersionMismatch(f"the platform ticket {seen.id} has changed")
        match change.step:
            case CreditStep.CLOSE:
                await end_ticket(transaction, self.control, locked)
                return None
            case CreditStep.RETURN:
                await return_ticket(transaction, self.control, locked)
                await self._ask_anew(transaction, locked)
                return None
            case CreditStep.STOP:
                stopped = replace(locked, state=PlatformTicketState.RETURNING)
                await transaction.platform_tickets.update_many([stopped])
            case CreditStep.SPEAK:
                owner = await transaction.organizations.get(EVERYTHING, locked.organization_id)
                await send_word(transaction, self.control, owner, locked.currency, locked)
                await transaction.platform_tickets.update_many([replace(locked, heard_at=now)])
            case CreditStep.WAIT:
                if locked.side is CreditSide.HOME:
                    await self._void_old(transaction, locked, now)
        if seen.side is CreditSide.HOME:
            return min(compute_free_at(seen, TERMS), now + timedelta(seconds=LOOK_HOME_S))
        return now + timedelta(seconds=TERMS.hurry_s)

    async def _ask_anew(self, transaction: Transaction, ticket: PlatformTicket) -> None:
        """Ask for credit again while the guest has keys here: it is still admitted, unless the way to its home is being left."""
        way = await find_way(transaction, await load_neighbourhood(transaction), ticket.counterparty_id)
        if way is not None and way.state is LinkState.LEAVING:
            return
        if await transaction.keys.list_in_force(OrganizationScope(ticket.organization_id)):
            owner = await transaction.organizations.get(EVERYTHING, ticket.organization_id)
            await send_word(transaction, self.control, owner, ticket.currency, None)

    async def _void_old(self, transaction: Transaction, ticket: PlatformTicket, now: datetime) -> None:
        """Void home's own records for which the other end did not speak within a lease and the window."""
        before = now - timedelta(seconds=TERMS.lease_s + TERMS.skew_s + TERMS.lateness_s)
        voided = await void_waiting(transaction, ticket, before)
        if voided != ticket:
            await transaction.platform_tickets.update_many([voided])


def has_other_prices(ticket: PlatformTicket, own: list[PinnedPrice]) -> bool:
    """Tell whether this platform now asks another price for a model than a ticket that it serves on pins."""
    current = {each.model_id: each.price_id for each in own}
    return ticket.side is CreditSide.SERVING and any(
        each.model_id in current and current[each.model_id] != each.price_id for each in ticket.prices
    )
