"""Intake of usage: a batch of records is inserted and posted in one transaction, each record once whatever happens.

The record's id is the idempotency key. One bad record never blocks the others: it is quarantined and answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from keisan.domain.access import PlatformScope
from keisan.domain.account import Transfer
from keisan.domain.alert import AlertDraft, AlertKind
from keisan.domain.entry import EntryKind
from keisan.domain.errors import AlreadyExists, InvalidInput, StorageUnavailable
from keisan.domain.ids import EntryId, MachineId, RecordId, TicketId
from keisan.domain.platform_ticket import PlatformTicket
from keisan.domain.price import Price
from keisan.domain.retention import is_through
from keisan.domain.ticket import Ticket
from keisan.domain.usage import Charge, IntakeOutcome, PostedRecord, UsageContext, UsageRecord, find_day
from keisan.kit.identity_map import IdentityMap
from keisan.kit.ids import create_id
from keisan.ledger.alert import raise_alerts
from keisan.ledger.budget import lock_books, write_books
from keisan.ledger.cross_record import is_forwarded, keep_forwarded, keep_served
from keisan.ledger.intake_facts import load_facts
from keisan.ledger.journal import EntryDraft, Journal, list_accounts
from keisan.ledger.receipt import hash_leaves, order_records
from keisan.ledger.rule import (
    Facts,
    Owed,
    RefusalCode,
    SuspenseCode,
    charge_tickets,
    compare_record,
    find_late,
    list_spendings,
    refuse_context,
    refuse_crossing,
    refuse_day,
    refuse_record,
    sum_transfers,
)
from keisan.ledger.rule_alert import describe_crossed
from keisan.ledger.rule_budget import count_spendings
from keisan.ledger.rule_guest import GuestCharges, Homes, charge_guests, draw_owed, list_guest_wallets
from keisan.ledger.rule_split import split_amount
from keisan.ledger.rule_terms import TermsBook
from keisan.storage.base import Storage, Transaction
from keisan.wire.usage_record import RecordParser


class IntakeAnswer(NamedTuple):
    """The platform's word on one record; `position` is its place in the batch, `code` says why it was not simply posted."""

    position: int
    record_id: RecordId | None
    outcome: IntakeOutcome
    code: str


@dataclass(slots=True)
class _Sorting:
    """A batch while it is sorted: the answer of each position, and the records that are new."""

    lines: Sequence[bytes]
    parsed: dict[int, UsageRecord] = field(default_factory=dict)
    answers: dict[int, IntakeAnswer] = field(default_factory=dict)
    new: dict[RecordId, int] = field(default_factory=dict)

    def answer(self, position: int, outcome: IntakeOutcome, code: str = "") -> None:
        record = self.parsed.get(position)
        record_id = record.id if record else None
        self.answers[position] = IntakeAnswer(position, record_id, outcome, code)

    def list_answers(self) -> tuple[IntakeAnswer, ...]:
        """Return one answer per record, in order."""
        return tuple(self.answers[position] for position in range(len(self.lines)))


@dataclass(frozen=True, slots=True)
class _Posting:
    """What moves for a batch, which of its records suspense pays for, and what to tell about it."""

    transfers: Sequence[Transfer]
    suspended: Mapping[RecordId, SuspenseCode]
    alerts: Sequence[AlertDraft]


async def accept_usage(
    storage: Storage, journal: Journal, gateway_id: MachineId, lines: Sequence[bytes]
) -> tuple[IntakeAnswer, ...]:
    """Insert and post a batch and return one answer per record, in order, after the transaction has committed.

    Raises StorageUnavailable if nothing was committed; the same batch may be handed in again.
    """
    sorting = _Sorting(lines)
    _parse_records(sorting)
    async with storage.write() as transaction:
        await _take_in(transaction, journal, gateway_id, sorting)
    return sorting.list_answers()


async def accept_within(
    transaction: Transaction, journal: Journal, gateway_id: MachineId, lines: Sequence[bytes]
) -> tuple[IntakeAnswer, ...]:
    """Do the same within a transaction, whose commit makes it so. Raises StorageUnavailable; then nothing may commit."""
    sorting = _Sorting(lines)
    _parse_records(sorting)
    await _take_in(transaction, journal, gateway_id, sorting)
    return sorting.list_answers()


async def _take_in(transaction: Transaction, journal: Journal, gateway_id: MachineId, sorting: _Sorting) -> None:
    contexts = list({id(record.context): record.context for record in sorting.parsed.values()}.values())
    facts = await load_facts(transaction, gateway_id, contexts)
    # A gateway makes its ids, so while its lock is held nobody else inserts what is not seen here.
    await transaction.usage.lock_gateways(facts.gateway_ids)
    await _keep_forwarded(transaction, sorting, facts, journal.clock.now())
    stored = await transaction.usage.find_digests(_list_days(sorting.parsed.values()))
    _sort_records(sorting, facts, stored, journal)
    try:
        await _insert_and_post(transaction, sorting, facts, journal)
    except AlreadyExists as fault:
        # An id that two gateways claim to have made: the second look tells which of them was first.
        raise StorageUnavailable("a concurrent batch was first; hand this one in again", str(fault)) from fault
    await _quarantine_bad(transaction, sorting, gateway_id, journal)


async def _keep_forwarded(transaction: Transaction, sorting: _Sorting, facts: Facts, now: datetime) -> None:
    """Take out home's own word of calls that other platforms served: it is no usage of this one, and nothing is posted."""
    places = {
        position: record
        for position, record in sorting.parsed.items()
        if is_forwarded(record, facts.platform_id) and record.context.gateway_id in facts.gateway_ids
    }
    if not places:
        return
    outcomes = await keep_forwarded(transaction, list(places.values()), now)
    for position, record in places.items():
        sorting.answer(position, outcomes[record.id])
        del sorting.parsed[position]


def _list_days(records: Iterable[UsageRecord]) -> dict[RecordId, date]:
    """Return where each record would be stored: by its id, for two records of a batch may claim two days for one."""
    days = ((record.id, find_day(record.id)) for record in records)
    return {record_id: day for record_id, day in days if day is not None}


def _parse_records(sorting: _Sorting) -> None:
    parser = RecordParser()
    for position, line in enumerate(sorting.lines):
        try:
            sorting.parsed[position] = parser.parse(line)
        except InvalidInput:
            sorting.answer(position, IntakeOutcome.REFUSED, RefusalCode.MALFORMED)


def _sort_records(sorting: _Sorting, facts: Facts, stored: Mapping[RecordId, bytes], journal: Journal) -> None:
    known: IdentityMap[UsageContext, tuple[RefusalCode | None, Price | None]] = IdentityMap(
        lambda context: (refuse_context(context, facts), facts.prices.get(context.price_id))
    )
    digests, now = dict(stored), journal.clock.now()
    for position, record in sorting.parsed.items():
        outcome = compare_record(record, digests.get(record.id))
        # What is posted is never quarantined as well: a repeat is no new claim, whoever hands it in.
        refusal = None
        if outcome is not IntakeOutcome.EXISTS:
            refusal, price = known.get(record.context)
            refusal = refusal or refuse_crossing(record, facts)
            refusal = refusal or (refuse_record(record, price, now) if price is not None else None)
            if outcome is None:
                refusal = refusal or refuse_day(record, facts.closed_through)
        if refusal is not None:
            sorting.answer(position, IntakeOutcome.REFUSED, refusal)
        elif outcome is None:
            sorting.new[record.id] = position
            digests[record.id] = record.content_digest
        else:
            sorting.answer(position, outcome)


async def _insert_and_post(transaction: Transaction, sorting: _Sorting, facts: Facts, journal: Journal) -> None:
    if not sorting.new:
        return
    entry_id = EntryId(create_id())
    charger = _Charger(facts, entry_id)
    posted = [charger.charge(sorting.parsed[position]) for position in sorting.new.values()]
    # Whatever takes long comes before locks that others wait for.
    leaf_hashes = hash_leaves(order_records(posted))
    await transaction.usage.insert_many(posted)
    await _check_days(transaction, posted, facts)
    posting = await _charge_tickets(transaction, posted, facts.guests, journal.clock.now())
    suspended = posting.suspended
    for position, each in zip(sorting.new.values(), posted, strict=True):
        sorting.answer(position, IntakeOutcome.CREATED, suspended.get(each.record.id, "") if suspended else "")
    draft = EntryDraft(EntryKind.USAGE, posting.transfers, leaf_hashes=leaf_hashes, id=entry_id)
    entry = await journal.write_entry(transaction, draft)
    # Last of all: alerts lock the head, as the entry did.
    await raise_alerts(transaction, [*posting.alerts, *_describe_suspended(posted, suspended)], entry.created_at)


async def _check_days(transaction: Transaction, posted: Sequence[PostedRecord], facts: Facts) -> None:
    """Look again which days take records: whoever closes one waits for those who inserted before, and for no others.

    Raises StorageUnavailable if one was closed since the facts were read; the next try refuses its records.
    """
    closed_through = (await transaction.retention.get_mark(PlatformScope())).closed_through
    days = {each.record.day for each in posted} if closed_through != facts.closed_through else ()
    if any(is_through(day, closed_through) for day in days):
        raise StorageUnavailable("a day of these records was closed meanwhile; hand them in again")


def _describe_suspended(posted: Sequence[PostedRecord], suspended: Mapping[RecordId, SuspenseCode]) -> list[AlertDraft]:
    """Return one alert for a whole batch, for the platform alone, which pays: a gateway may hand in thousands at once."""
    if not suspended:
        return []
    ids = [each.record.id for each in posted if each.record.id in suspended]
    return [AlertDraft(None, AlertKind.RECORD_SUSPENDED, ids[0], {"record_count": str(len(ids))})]


class _Charger:
    """Finds who gets what of records' amounts."""

    def __init__(self, facts: Facts, entry_id: EntryId) -> None:
        self._facts = facts
        self._entry_id = entry_id
        self._book = TermsBook(facts.offers, facts.deductions)
        self._named: IdentityMap[UsageContext, tuple[str, str]] = IdentityMap(self._find_names)

    def charge(self, record: UsageRecord) -> PostedRecord:
        """Return a record with its charge."""
        currency, chip = self._named.get(record.context)
        split = split_amount(record.amount_nano, record.quantities, self._book.choose_terms(record, currency))
        return PostedRecord(record, Charge(self._entry_id, currency, chip, split.provider_nano, split.tax_nano))

    def _find_names(self, context: UsageContext) -> tuple[str, str]:
        """Return currency and chip."""
        return self._facts.prices[context.price_id].currency, self._facts.replicas[context.replica_id].chip


async def _charge_tickets(
    transaction: Transaction, posted: Sequence[PostedRecord], homes: Homes, now: datetime
) -> _Posting:
    """Post records against their tickets and budgets, and note those that suspense pays for."""
    late = find_late((each.record for each in posted), now)
    ticket_ids = {each.record.ticket_id for each in posted if each.record.ticket_id is not None}
    suspended: Mapping[RecordId, SuspenseCode] = dict.fromkeys(late, SuspenseCode.LATE)
    owed: Mapping[RecordId, Owed] = draw_owed(posted, homes)
    transfers, alerts = sum_transfers(posted, (), owed), list[AlertDraft]()
    if ticket_ids or owed:
        # All accounts before all tickets, as the credit exchange does, or the two could wait for each other. Suspense
        # alone comes later: whoever waits for it needs nothing else.
        accounts = await transaction.accounts.open(list_accounts(transfers))
        await transaction.accounts.lock(accounts.values())
        platform_tickets = await transaction.platform_tickets.lock_open(list_guest_wallets(posted, homes))
        tickets = await transaction.tickets.lock(ticket_ids)
        charges = charge_tickets(posted, tickets, late)
        await transaction.tickets.update_many([each for each in charges.tickets.values() if each != tickets[each.id]])
        guests = charge_guests(posted, homes, platform_tickets, charges.suspended, now)
        await _write_guests(transaction, platform_tickets, guests)
        await keep_served(transaction, posted, guests.charges, now)
        suspended, owed = {**charges.suspended, **guests.unfunded}, guests.owed
        alerts = await _spend_budgets(transaction, posted, tickets, suspended, now)
    await transaction.usage.suspend_many(suspended, posted, now)
    transfers = sum_transfers(posted, suspended, owed) if suspended or homes else transfers
    return _Posting(transfers, suspended, alerts)


async def _write_guests(
    transaction: Transaction, before: Mapping[TicketId, PlatformTicket], guests: GuestCharges
) -> None:
    changed = [each for each in guests.tickets.values() if each != before[each.id]]
    await transaction.platform_tickets.update_many(changed)
    await transaction.cross_charges.insert_many(guests.charges)


async def _spend_budgets(
    transaction: Transaction,
    posted: Sequence[PostedRecord],
    tickets: Mapping[TicketId, Ticket],
    suspended: Mapping[RecordId, SuspenseCode],
    now: datetime,
) -> list[AlertDraft]:
    """Count what tickets paid for in the budgets that bind them, which are locked after accounts and tickets."""
    books = await lock_books(transaction, {ticket.holder for ticket in tickets.values()})
    if not books:
        return []
    counted = count_spendings(books, list_spendings(posted, tickets, suspended), now)
    await write_books(transaction, books, counted)
    return describe_crossed(books, counted, now)


async def _quarantine_bad(transaction: Transaction, sorting: _Sorting, gateway_id: MachineId, journal: Journal) -> None:
    bad = {
        sorting.lines[position]: answer.code or answer.outcome
        for position, answer in sorting.answers.items()
        if answer.outcome in (IntakeOutcome.REFUSED, IntakeOutcome.DIFFERS)
    }
    await transaction.usage.quarantine_many(bad, gateway_id, journal.clock.now())
