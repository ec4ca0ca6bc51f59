"""Ledger rules: what makes a usage record acceptable, and what is posted for accepted ones. Values in, values out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import NamedTuple
from uuid import UUID

from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.deduction import Deduction
from keisan.domain.errors import InvalidInput
from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, MachineId, OrganizationId, PlatformId, PriceId, RecordId, ReplicaId, TicketId
from keisan.domain.key import Key
from keisan.domain.limits import USAGE_EARLY_S_MAX, USAGE_LATE_S_MAX
from keisan.domain.offer import Offer
from keisan.domain.price import Price, compute_amount_nano
from keisan.domain.replica import Replica
from keisan.domain.retention import is_through
from keisan.domain.ticket import Ticket, TicketState
from keisan.domain.usage import IntakeOutcome, PostedRecord, UsageContext, UsageRecord, find_day
from keisan.kit.identity_map import IdentityMap
from keisan.ledger.rule_budget import Spending
from keisan.ledger.rule_split import AccountPair, SplitSum

# Stands in a record for what is another platform's.
NOBODY = UUID(int=0)
_EARLY_MAX = timedelta(seconds=USAGE_EARLY_S_MAX)


class RefusalCode(StrEnum):
    """Why a record is refused; refused records are quarantined, never dropped."""

    MALFORMED = "malformed"
    WRONG_PLATFORM = "wrong_platform"
    WRONG_CROSSING = "wrong_crossing"
    WRONG_GATEWAY = "wrong_gateway"
    WRONG_DAY = "wrong_day"
    WRONG_CLOCK = "wrong_clock"
    # Its day takes no more records: what was posted of it may have gone to the archive.
    CLOSED_DAY = "closed_day"
    UNKNOWN_KEY = "unknown_key"
    UNKNOWN_PRICE = "unknown_price"
    UNKNOWN_REPLICA = "unknown_replica"
    AMOUNT_MISMATCH = "amount_mismatch"


class SuspenseCode(StrEnum):
    """Why suspense pays for a record, at the platform's risk, and not the wallet: its ticket does not (R1), or it is late.

    `late_leased`: late, and its ticket still held its cost, which it holds no more. `unfunded`: its organization is another
    platform's, of which no ticket pays, though the gateway's did.
    """

    LATE = "late"
    LATE_LEASED = "late_leased"
    WRONG_TICKET = "wrong_ticket"
    CLOSED_TICKET = "closed_ticket"
    SPENT_TICKET = "spent_ticket"
    UNFUNDED = "unfunded"


# Why suspense pays although the gateway's ticket holds the cost no more.
LEASED_CODES = frozenset({SuspenseCode.LATE_LEASED, SuspenseCode.UNFUNDED})


@dataclass(frozen=True, slots=True)
class Facts:
    """What records are held against: whose may be handed in, the keys, prices and replicas they name, and what was asked for them.

    `gateway_ids` are the gateway that hands them in and the revoked ones, in whose place it may have joined. No record of a
    day through `closed_through` is new any more: whether it was posted before cannot always be told here. `guests` are the
    organizations named that are another platform's, with their homes.
    """

    platform_id: PlatformId
    gateway_ids: frozenset[MachineId]
    keys: Mapping[KeyId, Key]
    prices: Mapping[PriceId, Price]
    replicas: Mapping[ReplicaId, Replica]
    offers: Sequence[Offer] = ()
    deductions: Sequence[Deduction] = ()
    closed_through: date | None = None
    guests: Mapping[OrganizationId, PlatformId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charges:
    """The tickets after what was posted against them, and the records that none of them pays for."""

    tickets: Mapping[TicketId, Ticket]
    suspended: Mapping[RecordId, SuspenseCode]


class Owed(NamedTuple):
    """What the home of an organization owes for one record of a call that was served here: at most what the record comes to."""

    home_id: PlatformId
    amount_nano: int


def refuse_context(context: UsageContext, facts: Facts) -> RefusalCode | None:
    """Return why records of a context cannot be accepted, or None.

    Key and replica must belong where the context says, for the one names who pays and the other who is paid. A guest's call that
    its home brought names no key: there the ticket stands for it, which `refuse_crossing` looks at.
    """
    if context.platform_id != facts.platform_id:
        return RefusalCode.WRONG_PLATFORM
    if context.gateway_id not in facts.gateway_ids:
        return RefusalCode.WRONG_GATEWAY
    key = facts.keys.get(context.key_id)
    if is_keyless(context):
        if context.organization_id not in facts.guests:
            return RefusalCode.UNKNOWN_KEY
    elif key is None or (key.organization_id, key.project_id) != (context.organization_id, context.project_id):
        return RefusalCode.UNKNOWN_KEY
    price = facts.prices.get(context.price_id)
    if price is None or price.model_id != context.model_id:
        return RefusalCode.UNKNOWN_PRICE
    return None if _has_right_replica(context, facts.replicas.get(context.replica_id)) else RefusalCode.UNKNOWN_REPLICA


def is_keyless(context: UsageContext) -> bool:
    """Tell whether a context names nobody's key: that of a call which another platform brought."""
    return context.key_id == NOBODY == context.project_id


def refuse_crossing(record: UsageRecord, facts: Facts) -> RefusalCode | None:
    """Return why a call cannot have crossed as its record says, or None: it was served here, for the home of its organization."""
    crossing = record.crossing
    if crossing is None:
        return RefusalCode.UNKNOWN_KEY if is_keyless(record.context) else None
    named = (crossing.serving_platform_id, crossing.home_platform_id)
    is_right = named == (facts.platform_id, facts.guests.get(record.context.organization_id))
    return None if is_right else RefusalCode.WRONG_CROSSING


def refuse_record(record: UsageRecord, price: Price, now: datetime) -> RefusalCode | None:
    """Return why a record of an acceptable context cannot be accepted, or None.

    Its id, its day and its moment of admission must be of one day, and not of tomorrow; the amount is derived again from
    the pinned price.
    """
    if record.day != record.admitted_at.date() or record.day != find_day(record.id):
        return RefusalCode.WRONG_DAY
    if record.admitted_at > now + _EARLY_MAX:
        return RefusalCode.WRONG_CLOCK
    return None if _has_right_amount(record, price) else RefusalCode.AMOUNT_MISMATCH


def refuse_day(record: UsageRecord, closed_through: date | None) -> RefusalCode | None:
    """Return why a record that is acceptable otherwise is too late even for suspense, or None.

    By its day, which is its id's: no clock decides whether a record may be posted a second time.
    """
    return RefusalCode.CLOSED_DAY if is_through(record.day, closed_through) else None


def _has_right_replica(context: UsageContext, replica: Replica | None) -> bool:
    return replica is not None and (replica.model_id, replica.deployment_id, replica.provider_id, replica.site_id) == (
        context.model_id,
        context.deployment_id,
        context.provider_id,
        context.site_id,
    )


def _has_right_amount(record: UsageRecord, price: Price) -> bool:
    try:
        return record.amount_nano == compute_amount_nano(price.nano_per_million, record.quantities)
    except InvalidInput:
        return False


def compare_record(record: UsageRecord, stored_digest: bytes | None) -> IntakeOutcome | None:
    """Return what a record is beside the one that has its id: None if there is none, so that it is new.

    The same bytes are a repeat; anything else under the same id differs (R12).
    """
    if stored_digest is None:
        return None
    return IntakeOutcome.EXISTS if record.content_digest == stored_digest else IntakeOutcome.DIFFERS


def find_late(records: Iterable[UsageRecord], now: datetime) -> frozenset[RecordId]:
    """Return the records that come after the window in which they are awaited: no customer pays for them any more."""
    first = now - timedelta(seconds=USAGE_LATE_S_MAX)
    return frozenset(record.id for record in records if record.admitted_at < first)


def charge_tickets(
    posted: Iterable[PostedRecord], tickets: Mapping[TicketId, Ticket], late: Collection[RecordId] = ()
) -> Charges:
    """Post records against the tickets they name, in order: never more against a ticket than it holds.

    A record without a ticket is its wallet's: its call was promised to a post-paid organization. A `late` one is suspense's,
    and its ticket holds nothing for it any more, or the wallet would not have that part back while the gateway lives.
    """
    held = {ticket_id: _Held(ticket) for ticket_id, ticket in tickets.items()}
    suspended = dict.fromkeys(late, SuspenseCode.LATE)
    for each in posted:
        record = each.record
        if record.ticket_id is None or record.amount_nano == 0:
            continue
        own = held.get(record.ticket_id)
        code = SuspenseCode.WRONG_TICKET if own is None else own.charge(each)
        if late and record.id in late:
            suspended[record.id] = SuspenseCode.LATE if code is not None else SuspenseCode.LATE_LEASED
        elif code is not None:
            suspended[record.id] = code
    return Charges({ticket_id: own.to_ticket() for ticket_id, own in held.items()}, suspended)


class _Held:
    """A ticket, and what it holds while records are posted against it."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._held_nano = ticket.held_nano
        self._is_closed = ticket.state is TicketState.CLOSED
        self._is_payer: IdentityMap[UsageContext, bool] = IdentityMap(partial(_is_payer, ticket))

    def charge(self, posted: PostedRecord) -> SuspenseCode | None:
        """Post a record against the ticket, or return why it does not pay."""
        record = posted.record
        if not self._is_payer.get(record.context) or posted.charge.currency != self._ticket.currency:
            return SuspenseCode.WRONG_TICKET
        if self._is_closed:
            return SuspenseCode.CLOSED_TICKET
        if record.amount_nano > self._held_nano:
            return SuspenseCode.SPENT_TICKET
        self._held_nano -= record.amount_nano
        return None

    def to_ticket(self) -> Ticket:
        """Return the ticket as it is after them."""
        posted_nano = self._ticket.posted_nano + self._ticket.held_nano - self._held_nano
        return replace(self._ticket, posted_nano=posted_nano)


def _is_payer(ticket: Ticket, context: UsageContext) -> bool:
    """Tell whether a ticket is for the calls of a context."""
    holder = Holder(context.organization_id, context.project_id, context.key_id)
    return ticket.gateway_id == context.gateway_id and ticket.holder.is_over(holder)


def list_spendings(
    posted: Iterable[PostedRecord], tickets: Mapping[TicketId, Ticket], suspended: Collection[RecordId]
) -> list[Spending]:
    """Return what tickets paid for, record by record: what suspense pays counts in no budget."""
    holders = {ticket_id: ticket.holder for ticket_id, ticket in tickets.items()}
    return [
        Spending(holders[record.ticket_id], each.charge.currency, record.amount_nano, record.admitted_at)
        for each in posted
        for record in (each.record,)
        if record.ticket_id is not None and record.amount_nano and record.id not in suspended
    ]


def sum_transfers(
    posted: Iterable[PostedRecord], suspended: Collection[RecordId] = (), crossed: Mapping[RecordId, Owed] | None = None
) -> tuple[Transfer, ...]:
    """Return what is posted for new records: one transfer per pair of accounts (R12).

    The wallet pays, or suspense for those records that are `suspended`, or for those `crossed` the home of their organization,
    at the wholesale price. Records of which nothing moves are not counted.
    """
    # Added up by context first: it names the accounts of thousands of records.
    sums: IdentityMap[UsageContext, dict[tuple[str, bool, PlatformId | None], SplitSum]] = IdentityMap(lambda _: {})
    for each in posted:
        record, charge = each.record, each.charge
        owed = crossed.get(record.id) if crossed else None
        home_id = None if owed is None else owed.home_id
        own, key = sums.get(record.context), (charge.currency, bool(suspended) and record.id in suspended, home_id)
        total = own.get(key)
        if total is None:
            payer = _name_payer(record.context, charge.currency, is_suspended=key[1], home_id=home_id)
            total = own[key] = SplitSum(payer, _name_payable(record.context, charge.currency))
        paid_nano = record.amount_nano if owed is None else owed.amount_nano
        total.add(charge.provider_nano, charge.tax_nano, paid_nano - charge.provider_nano - charge.tax_nano)
    merged: dict[AccountPair, tuple[int, int]] = {}
    for own in sums.values():
        for total in own.values():
            for pair, (moved_nano, count) in total.list_moves().items():
                amount_nano, record_count = merged.get(pair, (0, 0))
                merged[pair] = (amount_nano + moved_nano, record_count + count)
    return tuple(Transfer(debit, credit, *total) for (debit, credit), total in merged.items())


def _name_payer(context: UsageContext, currency: str, *, is_suspended: bool, home_id: PlatformId | None) -> AccountKey:
    if is_suspended:
        return AccountKey(AccountKind.SUSPENSE, None, None, currency)
    if home_id is not None:
        return AccountKey(AccountKind.PLATFORM_RECEIVABLE, None, None, currency, home_id)
    return AccountKey(AccountKind.WALLET, context.organization_id, None, currency)


def _name_payable(context: UsageContext, currency: str) -> AccountKey:
    return AccountKey(AccountKind.PROVIDER_PAYABLE, None, context.provider_id, currency)
