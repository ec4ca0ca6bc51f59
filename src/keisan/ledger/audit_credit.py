"""The audit of credit between platforms: what each ticket says was spent is what its records moved, and its amounts fit together."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from keisan.domain.access import PlatformScope
from keisan.domain.ids import TicketId
from keisan.domain.platform_ticket import CrossCharge, CrossChargeState, PlatformTicket
from keisan.ledger.paging import walk_pages
from keisan.ledger.rule_audit import Difference
from keisan.ledger.rule_platform_ticket import find_broken
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


@dataclass(slots=True)
class CreditAudit:
    """What charges in journal entries came to, by platform ticket: at the wholesale price, and at home's."""

    spent: dict[TicketId, int] = field(default_factory=lambda: defaultdict(int))
    charged: dict[TicketId, int] = field(default_factory=lambda: defaultdict(int))

    def count(self, charges: Sequence[CrossCharge]) -> None:
        """Add the charges of an entry, which has been held against its postings."""
        for each in charges:
            if each.state is CrossChargeState.POSTED:
                self.spent[each.ticket_id] += each.wholesale_nano
                self.charged[each.ticket_id] += each.charged_nano


async def audit_platform_tickets(view: Transaction, counted: CreditAudit) -> Difference | None:
    """Return the first platform ticket whose amounts are not what its charges come to, or break a rule among themselves."""
    async for ticket in walk_pages(view.platform_tickets.list):
        where = f"platform ticket {ticket.id}"
        found = (ticket.spent_nano, ticket.charged_nano)
        expected = (counted.spent[ticket.id], counted.charged[ticket.id])
        if found != expected:
            return Difference("platform ticket", where, str(expected), str(found))
        waiting_nano = await _sum_waiting(view, ticket)
        if ticket.waiting_nano != waiting_nano:
            return Difference("platform ticket's waiting records", where, str(waiting_nano), str(ticket.waiting_nano))
        broken = find_broken(ticket)
        if broken:
            return Difference("platform ticket's amounts", where, "credit that is conserved", broken)
    return None


async def _sum_waiting(view: Transaction, ticket: PlatformTicket) -> int:
    return sum(each.wholesale_nano for each in await view.cross_charges.list_waiting(EVERYTHING, ticket.id))
