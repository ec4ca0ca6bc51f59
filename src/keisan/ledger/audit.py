"""The audit: every balance, posting, root and statement is derived again from raw records, and the first difference named.

It reads one consistent view in order of the journal, with bounded memory but for one sum per account and per ticket, and the
entries of judgements, which people make.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from keisan.domain.access import PlatformScope
from keisan.domain.account import Account, AccountKey, AccountKind, Posting, Transfer
from keisan.domain.entry import FIRST_ENTRY_HASH, ChainEnd, Entry, EntryKind
from keisan.domain.ids import AccountId, EntryId, PlatformId, RecordId, TicketId
from keisan.domain.statement import Statement
from keisan.domain.statement_document import read_document
from keisan.domain.suspense import SuspenseState
from keisan.domain.usage import PostedRecord
from keisan.ledger.audit_credit import CreditAudit, audit_conserved, audit_platform_tickets
from keisan.ledger.paging import walk_pages
from keisan.ledger.record_source import RecordSource, open_records
from keisan.ledger.rule import LEASED_CODES, sum_transfers
from keisan.ledger.rule_audit import (
    Difference,
    JudgedEntry,
    Moves,
    check_chain,
    check_entry,
    check_judgement,
    check_payout,
    check_postings,
    check_records,
    check_statement,
    check_suspense,
    name_entry,
)
from keisan.ledger.rule_guest import name_owed
from keisan.ledger.rule_platform_ticket import draw_cross_transfers
from keisan.ledger.rule_retention import is_all_stored
from keisan.ledger.rule_suspense import ENTRY_KINDS, draw_judgement
from keisan.ledger.statement import seal_records
from keisan.storage.base import Transaction
from keisan.storage.base_archive import Archive

Item = TypeVar("Item")
EVERYTHING = PlatformScope()
# What of a ticket's records its ticket held: all that it paid for, and what it held no more for.
COUNTED_CODES = frozenset({None, *LEASED_CODES})
JUDGEMENTS = frozenset(ENTRY_KINDS.values())
# So many entries are looked at at once, unless they hold more records than this together.
ENTRIES_AT_ONCE = 200
RECORDS_AT_ONCE = 6000


@dataclass(slots=True)
class Audit:
    """How far an audit has come, and what it found. `difference` is None while all is as it should be."""

    entry_count: int = 0
    record_count: int = 0
    posting_count: int = 0
    statement_count: int = 0
    end: ChainEnd = field(default_factory=lambda: ChainEnd(0, FIRST_ENTRY_HASH))
    difference: Difference | None = None
    balances: dict[AccountId, int] = field(default_factory=lambda: defaultdict(int))
    charged: dict[TicketId, int] = field(default_factory=lambda: defaultdict(int))
    judged: dict[EntryId, JudgedEntry] = field(default_factory=dict)
    credit: CreditAudit = field(default_factory=CreditAudit)


@dataclass(frozen=True, slots=True)
class _Books:
    """What entries are held against: the platform's key, the accounts that there are, and where records are."""

    platform_id: PlatformId
    public_key: bytes
    account_ids: dict[AccountKey, AccountId]
    accounts: Sequence[Account]
    source: RecordSource


async def audit_ledger(view: Transaction, note: Callable[[Audit], None], archive: Archive | None = None) -> Audit:
    """Return the audit of all that a view holds; `note` is called with how far it has come.

    It is the view's first reader. Records that are not in the database are read from `archive`. It ends with the first
    difference; raises StorageUnavailable if a file cannot be read that is as it was.
    """
    await view.retention.hold_days()
    source = await open_records(view, archive)
    platform = await view.platform.get()
    accounts = [account async for account in walk_pages(view.accounts.list)]
    keys = {each.key: each.id for each in accounts}
    books = _Books(platform.id, platform.public_key, keys, accounts, source)
    audit = Audit()
    # The chain first: an entry that is missing would show as money that moved outside of all.
    audit.difference = await _audit_chain(view, books, audit) or await _audit_files(source)
    if audit.difference is not None:
        return audit
    async for entries in _walk_entries(view):
        audit.difference = await _audit_entries(view, books, entries, audit)
        note(audit)
        if audit.difference is not None:
            return audit
    for check in (
        _audit_strays,
        _audit_balances,
        _audit_tickets,
        _audit_platform_tickets,
        _audit_conserved,
        _audit_suspense,
        _audit_statements,
        _audit_payouts,
    ):
        audit.difference = await check(view, books, audit)
        note(audit)
        if audit.difference is not None:
            break
    return audit


async def _audit_chain(view: Transaction, books: _Books, audit: Audit) -> Difference | None:
    while found := await view.entries.list(EVERYTHING, audit.end.sequence, ENTRIES_AT_ONCE):
        for entry in found:
            difference = check_chain(entry, audit.end, books.platform_id, books.public_key)
            if difference is not None:
                return difference
            audit.end = ChainEnd(entry.sequence, entry.hash)
    end = await view.entries.get_end(EVERYTHING)
    if end != audit.end:
        return Difference(
            "end of the chain", "journal", f"{end.sequence} {end.hash}", f"{audit.end.sequence} {audit.end.hash}"
        )
    return None


async def _walk_entries(view: Transaction) -> AsyncIterator[list[Entry]]:
    """Yield entries in order, so many at once as their records allow."""
    after = 0
    while found := await view.entries.list(EVERYTHING, after, ENTRIES_AT_ONCE):
        taken: list[Entry] = []
        for entry in found:
            if taken and sum(each.record_count for each in [*taken, entry]) > RECORDS_AT_ONCE:
                break
            taken.append(entry)
        after = taken[-1].sequence
        yield taken


async def _audit_entries(view: Transaction, books: _Books, entries: Sequence[Entry], audit: Audit) -> Difference | None:
    ids = [entry.id for entry in entries]
    postings = _group(await view.accounts.list_of_entries(EVERYTHING, ids), lambda posting: posting.entry_id)
    records = _group(await books.source.list_entries(entries), lambda posted: posted.charge.entry_id)
    if entries[0].kind is EntryKind.OPENING:
        postings[ids[0]] = list(await view.accounts.list_unsealed(EVERYTHING))
        records[ids[0]] = await books.source.list_unsealed()
    crossed = _group(await view.cross_charges.list_entries(EVERYTHING, ids), lambda charge: charge.entry_id)
    everything = [posted for own in records.values() for posted in own]
    suspended = await view.usage.find_suspended(EVERYTHING, [posted.record.id for posted in everything])
    prices = await view.prices.list_by_ids(EVERYTHING, {posted.record.context.price_id for posted in everything})
    by_id = {price.id: price for price in prices.values()}
    for entry in entries:
        own, moved = records.get(entry.id, []), postings.get(entry.id, [])
        difference = check_entry(entry, own, moved) or check_records(entry, own, by_id)
        # What was posted before there was a journal was posted in many batches.
        if difference is None and entry.kind is EntryKind.USAGE:
            owed = name_owed(crossed.get(entry.id, ()))
            difference = check_postings(entry, _resolve(books, sum_transfers(own, suspended, owed)), moved)
        if difference is None and entry.kind is EntryKind.CROSS_USAGE:
            transfers = draw_cross_transfers(crossed.get(entry.id, ()))
            difference = check_postings(entry, _resolve(books, transfers), moved)
        if difference is not None:
            return difference
        if entry.kind in JUDGEMENTS:
            audit.judged[entry.id] = JudgedEntry(entry, moved)
        audit.credit.count(crossed.get(entry.id, ()))
        if entry.kind is EntryKind.USAGE:
            audit.credit.count_records(own, suspended.keys() | {each.record_id for each in crossed.get(entry.id, ())})
        elif entry.kind is not EntryKind.CROSS_USAGE:
            audit.credit.count_others(moved)
        _count_entry(audit, own, moved, suspended)
    return None


def _count_entry(
    audit: Audit,
    records: Sequence[PostedRecord],
    postings: Iterable[Posting],
    suspended: Mapping[RecordId, str],
) -> None:
    audit.entry_count += 1
    audit.record_count += len(records)
    for posting in postings:
        audit.posting_count += 1
        audit.balances[posting.debit_account_id] -= posting.amount_nano
        audit.balances[posting.credit_account_id] += posting.amount_nano
    for posted in records:
        record = posted.record
        # What suspense paid for was in no ticket, but for what one still held then.
        if record.ticket_id is not None and suspended.get(record.id) in COUNTED_CODES:
            audit.charged[record.ticket_id] += record.amount_nano


async def _audit_files(source: RecordSource) -> Difference | None:
    """Look whether the files in place of deleted records are what they were when these went."""
    if not source.files:
        return None
    digests = await source.get_archive().digest(source.files)
    for each in source.files:
        found = digests.get(each.name, "missing")
        if found != each.sha256:
            return Difference("archived file", each.name, each.sha256 or "a digest", found)
    return None


async def _audit_strays(_: Transaction, books: _Books, audit: Audit) -> Difference | None:
    """Look for records that name an entry which does not hold them, and for an end that was cut off."""
    stored_count = await books.source.count()
    if stored_count != audit.record_count:
        return Difference("records outside entries", "usage records", str(audit.record_count), str(stored_count))
    return None


async def _audit_balances(_: Transaction, books: _Books, audit: Audit) -> Difference | None:
    for account in books.accounts:
        derived_nano = audit.balances.get(account.id, 0)
        if derived_nano != account.balance_nano:
            name = f"{account.kind} account {account.id}"
            return Difference("balance", name, str(derived_nano), str(account.balance_nano))
    return None


async def _audit_tickets(view: Transaction, _: _Books, audit: Audit) -> Difference | None:
    async for ticket in walk_pages(view.tickets.list):
        derived_nano = audit.charged.get(ticket.id, 0)
        if derived_nano != ticket.posted_nano:
            return Difference("ticket", f"ticket {ticket.id}", str(derived_nano), str(ticket.posted_nano))
    return None


async def _audit_platform_tickets(view: Transaction, _: _Books, audit: Audit) -> Difference | None:
    return await audit_platform_tickets(view, audit.credit)


async def _audit_conserved(view: Transaction, books: _Books, audit: Audit) -> Difference | None:
    return await audit_conserved(view, books.accounts, audit.credit)


async def _audit_suspense(view: Transaction, books: _Books, audit: Audit) -> Difference | None:
    """Hold each judgement against its entry, and what suspense has paid against what is not judged."""
    unjudged_nano: dict[str, int] = defaultdict(int)
    left = dict(audit.judged)
    async for suspended in walk_pages(view.suspense.list):
        if suspended.state is SuspenseState.SUSPENDED:
            unjudged_nano[suspended.currency] += suspended.amount_nano
            continue
        expected = _resolve(books, draw_judgement(suspended, suspended.state))
        judged = left.pop(suspended.entry_id, None) if suspended.entry_id is not None else None
        difference = check_judgement(suspended, judged, expected)
        if difference is not None:
            return difference
    for judged in left.values():
        return Difference("judgement", name_entry(judged.entry), "the suspended record that it judges", "none")
    for account in books.accounts:
        if account.kind is AccountKind.SUSPENSE:
            difference = check_suspense(account, unjudged_nano[account.currency])
            if difference is not None:
                return difference
    return None


async def _audit_statements(view: Transaction, books: _Books, audit: Audit) -> Difference | None:
    async for statement in walk_pages(view.statements.list):
        # What it says of itself first: only a signed one is believed to have no late records.
        difference = check_statement(statement, books.public_key, None)
        if difference is None and _is_all_stored(statement, books.source.archived_through):
            seal = await seal_records(view, EVERYTHING, statement.span)
            difference = check_statement(statement, books.public_key, seal)
        if difference is not None:
            return difference
        audit.statement_count += 1
    return None


def _is_all_stored(statement: Statement, archived_through: date | None) -> bool:
    has_late = any(line.sum.is_late for line in read_document(statement.document).lines)
    return is_all_stored(statement.span, archived_through, has_late=has_late)


async def _audit_payouts(view: Transaction, _: _Books, __: Audit) -> Difference | None:
    async for payout in walk_pages(view.payouts.list):
        statement = await view.statements.get(EVERYTHING, payout.statement_id)
        moved = await view.accounts.list_of_entries(EVERYTHING, [payout.entry_id])
        difference = check_payout(payout, statement, moved)
        if difference is not None:
            return difference
    return None


def _group(items: Iterable[Item], read_id: Callable[[Item], EntryId | None]) -> dict[EntryId | None, list[Item]]:
    groups: dict[EntryId | None, list[Item]] = defaultdict(list)
    for item in items:
        groups[read_id(item)].append(item)
    return groups


def _resolve(books: _Books, transfers: Iterable[Transfer]) -> Moves:
    """Return transfers by the ids of their accounts."""
    return {
        (books.account_ids[transfer.debit], books.account_ids[transfer.credit]): (
            transfer.amount_nano,
            transfer.record_count,
        )
        for transfer in transfers
    }
