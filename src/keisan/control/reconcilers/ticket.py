"""Tickets: one whose gateway stays silent past its lease and the window for late records ends (R1).

The wallet has back what it held. A ticket that is renewed meanwhile is looked at again when it would end then.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound, VersionMismatch
from keisan.domain.ids import TicketId
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.ledger.credit import note_closed
from keisan.ledger.rule_ticket import Moment, close_ticket, compute_end, is_expired
from keisan.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class TicketChange:
    """The ticket as it was seen, and whether it is to be closed."""

    seen: Ticket
    is_over: bool


@dataclass(frozen=True, slots=True)
class TicketReconciler:
    """Closes what has expired; `terms` say for how long credit is leased and late records are awaited."""

    terms: CreditTerms

    async def load(self, transaction: Transaction, noun_id: UUID) -> Ticket | None:
        """Return the ticket, None if there is no such ticket."""
        try:
            return await transaction.tickets.get(PlatformScope(), TicketId(noun_id))
        except NotFound:
            return None

    def decide(self, state: Ticket, now: datetime) -> TicketChange:
        """Close an open ticket that has expired."""
        return TicketChange(state, state.state is TicketState.OPEN and is_expired(state, Moment(now, self.terms)))

    async def apply(self, transaction: Transaction, change: TicketChange, now: datetime) -> datetime | None:
        """Write the closed ticket with its event; look again when an open one would end.

        Raises VersionMismatch if the ticket was changed since the load.
        """
        if not change.is_over:
            return compute_end(change.seen, self.terms) if change.seen.state is TicketState.OPEN else None
        locked = await transaction.tickets.lock([change.seen.id])
        if locked[change.seen.id] != change.seen:
            raise VersionMismatch(f"the ticket {change.seen.id} has changed")
        await transaction.tickets.update_many([close_ticket(change.seen, now)])
        await note_closed(transaction, CONTROL_ACTOR, change.seen)
        return None
