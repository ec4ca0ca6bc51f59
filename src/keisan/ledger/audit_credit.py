"""The audit of credit between platforms: what each ticket says was spent is what its records moved, and its amounts fit together."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from keisan.domain.access import PlatformScope
from keisan.domain.account import Account, AccountKind, Posting
from keisan.domain.ids import AccountId, OrganizationId, RecordId, TicketId
from keisan.domain.platform_ticket import CreditSide, CrossCharge, CrossChargeState, PlatformTicket
from keisan.domain.usage import PostedRecord
from keisan.ledger.paging import walk_pages
from keisan.ledger.rule_audit import Difference
from keisan.ledger.rule_platform_ticket import find_broken, sum_credit
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


@dataclass(slots=True)
class CreditAudit:
    """What charges in journal entries came to, by platform ticket: at the wholesale price, and at home's.

    `filled` is what went into an account by other entries than those of calls, and `paid` what an organization's calls came to by
    their records, at whichever platform.
    """

    spent: dict[TicketId, int] = field(default_factory=lambda: defaultdict(int))
    charged: dict[TicketId, int] = field(default_factory=lambda: defaultdict(int))
    filled: dict[AccountId, int] = field(default_factory=lambda: defaultdict(int))
    paid: dict[tuple[OrganizationId, str], int] = field(default_factory=lambda: defaultdict(int))

    def count(self, charges: Sequence[CrossCharge]) -> None:
        """Add the charges of an entry, which has been held against its postings."""
        for each in charges:
            if each.state is CrossChargeState.POSTED:
                self.spent[each.ticket_id] += each.wholesale_nano
                self.charged[each.ticket_id] += each.charged_nano
                if each.charged_nano:
                    self.paid[each.organization_id, each.currency] += each.charged_nano

    def count_records(self, records: Sequence[PostedRecord], unpaid: Container[RecordId]) -> None:
        """Add what customers paid for an entry's records; for those that are `unpaid` suspense did, or another platform does."""
        for posted in records:
            if posted.record.id not in unpaid:
                self.paid[posted.record.context.organization_id, posted.charge.currency] += posted.record.amount_nano

    def count_others(self, postings: Iterable[Posting]) -> None:
        """Add what an entry moved that is of no call."""
        for posting in postings:
            self.filled[posting.debit_account_id] -= posting.amount_nano
            self.filled[posting.credit_account_id] += posting.amount_nano


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


async def audit_conserved(view: Transaction, accounts: Iterable[Account], counted: CreditAudit) -> Difference | None:
    """Return the first wallet whose money is not all there: free, leased, in suspense or spent, it is what was put in."""
    for account in accounts:
        if account.kind is not AccountKind.WALLET or account.organization_id is None:
            continue
        own = [account.organization_id]
        tickets = [
            each
            for each in await view.platform_tickets.list_open(EVERYTHING, own)
            if (each.side, each.currency) == (CreditSide.HOME, account.currency)
        ]
        held_nano = sum(
            each.held_nano
            for each in await view.tickets.list_open(EVERYTHING, own)
            if each.currency == account.currency
        )
        paid_nano = counted.paid.get((account.organization_id, account.currency), 0)
        found = sum_credit(account.balance_nano, held_nano, tickets, paid_nano)
        filled_nano = counted.filled.get(account.id, 0)
        if found.total_nano != filled_nano:
            return Difference("conserved credit", f"wallet account {account.id}", str(filled_nano), str(found))
    return None


async def _sum_waiting(view: Transaction, ticket: PlatformTicket) -> int:
    return sum(each.wholesale_nano for each in await view.cross_charges.list_waiting(EVERYTHING, ticket.id))
