"""Home's books of calls that other platforms served: posted once by their record, within tickets, under the wallet's lock.

The serving platform's record is payable up to the ticket's ceiling; home's own record alone waits, and is voided in the
customer's favour. Locks are taken as everywhere: accounts, platform tickets, budgets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keisan.domain.access import PlatformScope
from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.alert import AlertDraft
from keisan.domain.deduction import Deduction, DeductionKind, choose_rate_ppm
from keisan.domain.entry import EntryKind
from keisan.domain.holder import Holder
from keisan.domain.ids import EntryId, PlatformId, RecordId, TicketId
from keisan.domain.platform_ticket import CrossCharge, CrossChargeCode, CrossChargeState, PlatformTicket
from keisan.kit.ids import create_id
from keisan.ledger.alert import raise_alerts
from keisan.ledger.budget import lock_books, write_books
from keisan.ledger.journal import EntryDraft, Journal
from keisan.ledger.rule_alert import describe_crossed
from keisan.ledger.rule_budget import Spending, count_spendings
from keisan.ledger.rule_platform_ticket import (
    CrossCall,
    apply_charge,
    charge_call,
    draw_cross_transfers,
    name_payable,
    note_own_call,
    refuse_call,
    suspend_charge,
    void_charge,
)
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()
Tickets = dict[TicketId, PlatformTicket]


@dataclass(frozen=True, slots=True)
class CrossPosting:
    """What became of calls, and the entry that moves their money, with what is told about it: None if nothing moves."""

    charges: Mapping[RecordId, CrossCharge]
    draft: EntryDraft | None = None
    alerts: Sequence[AlertDraft] = ()


@dataclass(frozen=True, slots=True)
class _Desk:
    """Whose calls are charged, when, and by what; `refused` are records that another rule forbids."""

    platform_id: PlatformId
    serving_id: PlatformId
    deductions: Sequence[Deduction]
    refused: Mapping[RecordId, CrossChargeCode]
    now: datetime

    def draft(self, call: CrossCall) -> CrossCharge:
        """Return a charge that nothing has become of."""
        return CrossCharge(
            record_id=call.record_id,
            ticket_id=call.ticket_id,
            platform_id=self.platform_id,
            counterparty_id=self.serving_id,
            organization_id=call.organization_id,
            currency=call.currency,
            state=CrossChargeState.WAITING,
            code=CrossChargeCode.NONE,
            wholesale_nano=call.amount_nano,
            charged_nano=0,
            tax_nano=0,
            admitted_at=call.admitted_at,
            created_at=self.now,
        )

    def charge(self, call: CrossCall, ticket: PlatformTicket | None, before: CrossCharge | None) -> CrossCharge:
        """Return what becomes of a call."""
        code = self.refused.get(call.record_id) or refuse_call(ticket, call, self.serving_id)
        if before is not None and before.ticket_id != call.ticket_id:
            code = CrossChargeCode.WRONG_TICKET
        draft = replace(before or self.draft(call), wholesale_nano=call.amount_nano)
        if ticket is None or code:
            return suspend_charge(draft, code)
        tax_ppm = choose_rate_ppm(self.deductions, DeductionKind.TAX, call.organization_id, call.admitted_at)
        return charge_call(ticket, call, tax_ppm, draft)


async def post_cross_calls(
    transaction: Transaction,
    journal: Journal,
    serving_id: PlatformId,
    calls: Sequence[CrossCall],
    refused: Mapping[RecordId, CrossChargeCode] | None = None,
) -> Mapping[RecordId, CrossCharge]:
    """Post what a platform says that it served, each record once, and return what became of each.

    `refused` are records that another rule forbids (a platform that was revoked before): they are kept as suspended. A repeat
    returns what became of the first. It comes last in a transaction but for events, as every posting does.
    """
    posting = await charge_cross_calls(transaction, journal, serving_id, calls, refused)
    await write_cross_entry(transaction, journal, posting)
    return posting.charges


async def charge_cross_calls(
    transaction: Transaction,
    journal: Journal,
    serving_id: PlatformId,
    calls: Sequence[CrossCall],
    refused: Mapping[RecordId, CrossChargeCode] | None = None,
) -> CrossPosting:
    """Do all of it but the entry, which `write_cross_entry` then writes in the same transaction, last."""
    known = dict(await transaction.cross_charges.find_many(EVERYTHING, {call.record_id for call in calls}))
    new = _list_new(calls, known)
    if not new:
        return CrossPosting(known)
    await _lock_accounts(transaction, serving_id, new)
    tickets = await _lock_tickets(transaction, new, known)
    deductions = await transaction.deductions.list_all(EVERYTHING)
    desk = _Desk(journal.platform_id, serving_id, deductions, refused or {}, journal.clock.now())
    changed, charges = dict(tickets), list[CrossCharge]()
    entry_id = EntryId(create_id())
    for call in new:
        before = known.get(call.record_id)
        charge = desk.charge(call, changed.get(call.ticket_id), before)
        if charge.state is CrossChargeState.POSTED:
            charge = replace(charge, entry_id=entry_id)
        if charge.ticket_id in changed:
            changed[charge.ticket_id] = apply_charge(changed[charge.ticket_id], charge, before)
        charges.append(charge)
    await _write_tickets(transaction, tickets, changed)
    await transaction.cross_charges.insert_many([each for each in charges if each.record_id not in known])
    await transaction.cross_charges.settle_many([each for each in charges if each.record_id in known])
    return await _count_money(transaction, desk.now, entry_id, known | {each.record_id: each for each in charges})


async def write_cross_entry(transaction: Transaction, journal: Journal, posting: CrossPosting) -> None:
    """Write the entry of a posting, and raise its alerts: the last of a transaction but for events."""
    if posting.draft is not None:
        entry = await journal.write_entry(transaction, posting.draft)
        await raise_alerts(transaction, posting.alerts, entry.created_at)


async def note_own_calls(
    transaction: Transaction, journal: Journal, serving_id: PlatformId, calls: Sequence[CrossCall]
) -> None:
    """Note home's own records of calls that another platform served: a part of their tickets waits for that one's word."""
    known = await transaction.cross_charges.find_many(EVERYTHING, {call.record_id for call in calls})
    new = [call for call in {each.record_id: each for each in calls}.values() if call.record_id not in known]
    if not new:
        return
    # No money moves, so no account is locked: whoever holds one and waits for a ticket waits for nothing here.
    tickets = await _lock_tickets(transaction, new, known)
    desk = _Desk(journal.platform_id, serving_id, (), {}, journal.clock.now())
    changed, charges = dict(tickets), list[CrossCharge]()
    for call in new:
        ticket = changed.get(call.ticket_id)
        # Of what no ticket pays for nothing waits; the serving platform's word says why.
        if ticket is None or refuse_call(ticket, call, serving_id):
            continue
        changed[ticket.id], charge = note_own_call(ticket, desk.draft(call), call.amount_nano)
        charges.append(charge)
    await _write_tickets(transaction, tickets, changed)
    await transaction.cross_charges.insert_many(charges)


async def void_waiting(
    transaction: Transaction, ticket: PlatformTicket, before: datetime | None = None
) -> PlatformTicket:
    """Void what waits for a ticket's other end: all, or what was admitted before an instant; return the ticket after it.

    The caller has locked the ticket, and writes it.
    """
    voided: list[CrossCharge] = []
    for waiting in await transaction.cross_charges.list_waiting(EVERYTHING, ticket.id, before):
        ticket, charge = void_charge(ticket, waiting)
        voided.append(charge)
    await transaction.cross_charges.settle_many(voided)
    return ticket


def _list_new(calls: Iterable[CrossCall], known: Mapping[RecordId, CrossCharge]) -> list[CrossCall]:
    """Return calls that nothing became of yet, each once: what only waits is new."""
    first: dict[RecordId, CrossCall] = {}
    for call in calls:
        charge = known.get(call.record_id)
        if charge is None or charge.state is CrossChargeState.WAITING:
            first.setdefault(call.record_id, call)
    return list(first.values())


async def _lock_accounts(transaction: Transaction, serving_id: PlatformId, calls: Sequence[CrossCall]) -> None:
    """Lock the accounts that calls may move, ahead of their tickets."""
    keys = {AccountKey(AccountKind.WALLET, call.organization_id, None, call.currency) for call in calls}
    wallets = await transaction.accounts.list_wallets(EVERYTHING, {call.organization_id for call in calls})
    payables = await transaction.accounts.open({name_payable(serving_id, call.currency) for call in calls})
    await transaction.accounts.lock([*(wallet.id for wallet in wallets if wallet.key in keys), *payables.values()])


async def _lock_tickets(
    transaction: Transaction, calls: Sequence[CrossCall], known: Mapping[RecordId, CrossCharge]
) -> Tickets:
    """Return the tickets that calls name, or waited on, locked."""
    waited = {known[call.record_id].ticket_id for call in calls if call.record_id in known}
    return dict(await transaction.platform_tickets.lock({call.ticket_id for call in calls} | waited))


async def _write_tickets(transaction: Transaction, before: Tickets, after: Tickets) -> None:
    changed = [ticket for ticket_id, ticket in after.items() if ticket != before[ticket_id]]
    await transaction.platform_tickets.update_many(changed)


async def _count_money(
    transaction: Transaction, now: datetime, entry_id: EntryId, charges: Mapping[RecordId, CrossCharge]
) -> CrossPosting:
    """Count what customers paid in the budgets of their organizations, and return what the entry moves."""
    posted = [each for each in charges.values() if each.entry_id == entry_id]
    if not posted:
        return CrossPosting(charges)
    books = await lock_books(transaction, {Holder(each.organization_id) for each in posted})
    spendings = [
        Spending(Holder(each.organization_id), each.currency, each.charged_nano, each.admitted_at)
        for each in posted
        if each.charged_nano
    ]
    counted = count_spendings(books, spendings, now)
    await write_books(transaction, books, counted)
    draft = EntryDraft(EntryKind.CROSS_USAGE, draw_cross_transfers(posted), id=entry_id)
    return CrossPosting(charges, draft, describe_crossed(books, counted, now))
