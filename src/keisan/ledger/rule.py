"""Ledger rules: what makes a usage record acceptable, and what is posted for accepted ones. Values in, values out."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from enum import StrEnum

from keisan.domain.account import AccountKind
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import KeyId, MachineId, PlatformId, PriceId, RecordId, ReplicaId, TicketId
from keisan.domain.key import Key
from keisan.domain.price import Price, compute_amount_nano
from keisan.domain.replica import Replica
from keisan.domain.ticket import Ticket, TicketState
from keisan.domain.usage import IntakeOutcome, UsageRecord
from keisan.storage.base import AccountKey


class RefusalCode(StrEnum):
    """Why a record is refused; refused records are quarantined, never dropped."""

    MALFORMED = "malformed"
    WRONG_PLATFORM = "wrong_platform"
    WRONG_GATEWAY = "wrong_gateway"
    WRONG_DAY = "wrong_day"
    UNKNOWN_KEY = "unknown_key"
    UNKNOWN_PRICE = "unknown_price"
    UNKNOWN_REPLICA = "unknown_replica"
    AMOUNT_MISMATCH = "amount_mismatch"


class SuspenseCode(StrEnum):
    """Why suspense pays for a record, at the platform's risk, and not the wallet: its ticket does not (R1)."""

    WRONG_TICKET = "wrong_ticket"
    CLOSED_TICKET = "closed_ticket"
    SPENT_TICKET = "spent_ticket"


@dataclass(frozen=True, slots=True)
class Facts:
    """What records are held against: whose may be handed in, and the keys, prices and replicas they name.

    `gateway_ids` are the gateway that hands them in and the revoked ones, in whose place it may have joined.
    """

    platform_id: PlatformId
    gateway_ids: frozenset[MachineId]
    keys: Mapping[KeyId, Key]
    prices: Mapping[PriceId, Price]
    replicas: Mapping[ReplicaId, Replica]


@dataclass(frozen=True, slots=True)
class Charges:
    """The tickets after what was posted against them, and the records that none of them pays for."""

    tickets: Mapping[TicketId, Ticket]
    suspended: Mapping[RecordId, SuspenseCode]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that moves from one account to another for `record_count` records; `amount_nano` > 0."""

    debit: AccountKey
    credit: AccountKey
    amount_nano: int
    record_count: int


def refuse_record(record: UsageRecord, facts: Facts) -> RefusalCode | None:
    """Return why a record cannot be accepted, or None.

    The amount is derived again from the pinned price; key and replica must belong where the record says, for the one
    names who pays and the other who is paid.
    """
    if record.platform_id != facts.platform_id:
        return RefusalCode.WRONG_PLATFORM
    if record.gateway_id not in facts.gateway_ids:
        return RefusalCode.WRONG_GATEWAY
    if record.day != record.admitted_at.astimezone(UTC).date():
        return RefusalCode.WRONG_DAY
    key = facts.keys.get(record.key_id)
    if key is None or (key.organization_id, key.project_id) != (record.organization_id, record.project_id):
        return RefusalCode.UNKNOWN_KEY
    price = facts.prices.get(record.price_id)
    if price is None or price.model_id != record.model_id:
        return RefusalCode.UNKNOWN_PRICE
    if not _has_right_replica(record, facts.replicas.get(record.replica_id)):
        return RefusalCode.UNKNOWN_REPLICA
    return None if _has_right_amount(record, price) else RefusalCode.AMOUNT_MISMATCH


def _has_right_replica(record: UsageRecord, replica: Replica | None) -> bool:
    return replica is not None and (replica.model_id, replica.deployment_id, replica.provider_id, replica.site_id) == (
        record.model_id,
        record.deployment_id,
        record.provider_id,
        record.site_id,
    )


def _has_right_amount(record: UsageRecord, price: Price) -> bool:
    try:
        return record.amount_nano == compute_amount_nano(price.nano_per_million, record.quantities)
    except InvalidInput:
        return False


def compare_record(record: UsageRecord, stored: Sequence[UsageRecord]) -> IntakeOutcome | None:
    """Return what a record is beside those stored under its id: None if there are none, so that it is new.

    The same bytes are a repeat; anything else under the same id, on whatever day, differs (R12).
    """
    if not stored:
        return None
    is_repeat = any(record.content_digest == other.content_digest for other in stored)
    return IntakeOutcome.EXISTS if is_repeat else IntakeOutcome.DIFFERS


def charge_tickets(
    records: Iterable[UsageRecord], prices: Mapping[PriceId, Price], tickets: Mapping[TicketId, Ticket]
) -> Charges:
    """Post records against the tickets they name, in order: never more against a ticket than it holds.

    A record without a ticket is its wallet's: its call was promised to a post-paid organization.
    """
    charged, suspended = dict(tickets), dict[RecordId, SuspenseCode]()
    for record in records:
        if record.ticket_id is None or record.amount_nano == 0:
            continue
        charge = _charge_ticket(record, prices[record.price_id].currency, charged.get(record.ticket_id))
        if isinstance(charge, Ticket):
            charged[charge.id] = charge
        else:
            suspended[record.id] = charge
    return Charges(charged, suspended)


def _charge_ticket(record: UsageRecord, currency: str, ticket: Ticket | None) -> Ticket | SuspenseCode:
    """Return the ticket after a record, or why it does not pay."""
    wanted = (record.organization_id, record.gateway_id, currency)
    if ticket is None or (ticket.organization_id, ticket.gateway_id, ticket.currency) != wanted:
        return SuspenseCode.WRONG_TICKET
    if ticket.state is TicketState.CLOSED:
        return SuspenseCode.CLOSED_TICKET
    if record.amount_nano > ticket.held_nano:
        return SuspenseCode.SPENT_TICKET
    return replace(ticket, posted_nano=ticket.posted_nano + record.amount_nano)


def sum_transfers(
    records: Iterable[UsageRecord], prices: Mapping[PriceId, Price], suspended: Container[RecordId] = ()
) -> tuple[Transfer, ...]:
    """Return what is posted for new records: one transfer per pair of accounts, to provider payable (R12).

    The wallet pays, or suspense for those records that are `suspended`. Records that cost nothing move nothing.
    """
    sums: dict[tuple[AccountKey, AccountKey], tuple[int, int]] = {}
    for record in records:
        if record.amount_nano == 0:
            continue
        currency = prices[record.price_id].currency
        wallet = AccountKey(AccountKind.WALLET, record.organization_id, None, currency)
        suspense = AccountKey(AccountKind.SUSPENSE, None, None, currency)
        pair = (
            suspense if record.id in suspended else wallet,
            AccountKey(AccountKind.PROVIDER_PAYABLE, None, record.provider_id, currency),
        )
        amount_nano, record_count = sums.get(pair, (0, 0))
        sums[pair] = (amount_nano + record.amount_nano, record_count + 1)
    return tuple(Transfer(debit, credit, *total) for (debit, credit), total in sums.items())
