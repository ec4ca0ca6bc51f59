"""Rules for guests: what records of organizations of other platforms come to here, paid by those platforms' tickets. Pure.

The home of a guest owes the wholesale price that its ticket pins, up to the ticket's ceiling; the rest is this platform's risk.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from keisan.domain.ids import ModelId, OrganizationId, PlatformId, RecordId, TicketId
from keisan.domain.platform_ticket import (
    CreditSide,
    CrossCharge,
    CrossChargeCode,
    CrossChargeState,
    PinnedPrice,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.domain.usage import PostedRecord
from keisan.ledger.rule import Owed, SuspenseCode
from keisan.ledger.rule_platform_ticket import apply_charge, price_wholesale

Homes = Mapping[OrganizationId, PlatformId]


@dataclass(frozen=True, slots=True)
class GuestCharges:
    """The platform tickets after guests' records, what each moved, and the records that no ticket pays for."""

    tickets: Mapping[TicketId, PlatformTicket]
    charges: Sequence[CrossCharge] = ()
    unfunded: Mapping[RecordId, SuspenseCode] = field(default_factory=dict)

    @property
    def owed(self) -> Mapping[RecordId, Owed]:
        """Return what the homes of guests owe, record by record."""
        return name_owed(self.charges)


def name_owed(charges: Iterable[CrossCharge]) -> dict[RecordId, Owed]:
    """Return what other platforms owe for records that were charged."""
    return {each.record_id: Owed(each.counterparty_id, each.wholesale_nano) for each in charges}


def draw_owed(posted: Iterable[PostedRecord], homes: Homes) -> dict[RecordId, Owed]:
    """Return what guests' records would come to at this platform's own price: which accounts they may move."""
    if not homes:
        return {}
    return {
        each.record.id: Owed(homes[each.record.context.organization_id], each.record.amount_nano)
        for each in posted
        if each.record.context.organization_id in homes
    }


def list_guest_wallets(posted: Iterable[PostedRecord], homes: Homes) -> set[tuple[OrganizationId, str]]:
    """Return for which guests in which currencies there are records."""
    return {
        (each.record.context.organization_id, each.charge.currency)
        for each in posted
        if each.record.context.organization_id in homes
    }


def charge_guests(
    posted: Iterable[PostedRecord],
    homes: Homes,
    tickets: Mapping[TicketId, PlatformTicket],
    suspended: Collection[RecordId],
    now: datetime,
) -> GuestCharges:
    """Charge guests' records to the tickets that their homes leased, in order: never more to a ticket than is left of it."""
    left, charges, unfunded = dict(tickets), list[CrossCharge](), dict[RecordId, SuspenseCode]()
    for each in posted if homes else ():
        home_id = homes.get(each.record.context.organization_id)
        if home_id is None or each.record.id in suspended:
            continue
        chosen = _choose(left, each, home_id)
        if chosen is None:
            unfunded[each.record.id] = SuspenseCode.UNFUNDED
            continue
        ticket, wholesale_nano = chosen
        charge = _build_charge(ticket, each, wholesale_nano, now)
        left[ticket.id] = apply_charge(ticket, charge, None)
        charges.append(charge)
    return GuestCharges(left, charges, unfunded)


def find_model_price(prices: Iterable[PinnedPrice], model_id: ModelId) -> PinnedPrice | None:
    """Return the pinned price of a model of this platform's."""
    return next((each for each in prices if each.model_id == model_id), None)


def _choose(
    tickets: Mapping[TicketId, PlatformTicket], posted: PostedRecord, home_id: PlatformId
) -> tuple[PlatformTicket, int] | None:
    """Return the ticket that pays for a record, and what at: the one that its call named, else the oldest that does."""
    record = posted.record
    named_id = None if record.crossing is None else record.crossing.ticket_id
    wanted = (CreditSide.SERVING, home_id, record.context.organization_id, posted.charge.currency)
    for ticket in sorted(tickets.values(), key=lambda each: each.id):
        named = (ticket.side, ticket.counterparty_id, ticket.organization_id, ticket.currency)
        pinned = find_model_price(ticket.prices, record.context.model_id)
        if named_id not in (None, ticket.id):
            continue
        if named != wanted or ticket.state is PlatformTicketState.CLOSED or pinned is None:
            continue
        wholesale_nano = price_wholesale(pinned, record.quantities, record.amount_nano)
        if wholesale_nano is not None and wholesale_nano <= ticket.left_nano:
            return ticket, wholesale_nano
    return None


def _build_charge(ticket: PlatformTicket, posted: PostedRecord, wholesale_nano: int, now: datetime) -> CrossCharge:
    return CrossCharge(
        record_id=posted.record.id,
        ticket_id=ticket.id,
        platform_id=ticket.platform_id,
        counterparty_id=ticket.counterparty_id,
        organization_id=ticket.organization_id,
        currency=ticket.currency,
        state=CrossChargeState.POSTED,
        code=CrossChargeCode.NONE,
        wholesale_nano=wholesale_nano,
        charged_nano=0,
        tax_nano=0,
        admitted_at=posted.record.admitted_at,
        created_at=now,
        entry_id=posted.charge.entry_id,
    )
