"""This platform's own records of calls across platforms, made of what its gateways hand in, and kept until a batch tells them.

What it served is posted as any usage is, and told to its home as well. What another platform served for its customers is no usage
of its own: it is kept as home's word alone, which moves no money.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import (
    CrossRecord,
    CrossState,
    CrossUsage,
    RecordEnd,
    find_admission_ms,
    name_settlement,
)
from keisan.domain.ids import ModelId, PlatformId, RecordId, SiteId, TicketId
from keisan.domain.lease import WorkNoun
from keisan.domain.merkle import hash_leaf
from keisan.domain.platform_ticket import CrossCharge, PinnedPrice, PlatformTicket
from keisan.domain.price import compute_amount_nano
from keisan.domain.settlement import SETTLEMENT_ID
from keisan.domain.usage import Crossing, IntakeOutcome, PostedRecord, UsageRecord
from keisan.storage.base import Transaction
from keisan.wire.cross_leaf import write_cross_leaf

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class CrossNames:
    """What is told of ids that mean nothing elsewhere: models by name, sites by region, and the tickets that are named."""

    models: Mapping[ModelId, str]
    regions: Mapping[SiteId, str]
    tickets: Mapping[TicketId, PlatformTicket]

    def find_pinned(self, crossing: Crossing, model: str) -> PinnedPrice | None:
        """Return the wholesale price of a call's model, None where its ticket pins none."""
        ticket = self.tickets.get(crossing.ticket_id)
        return next((each for each in ticket.prices if each.model == model), None) if ticket is not None else None


def is_forwarded(record: UsageRecord, own_id: PlatformId) -> bool:
    """Tell whether a record is home's own word of a call that another platform served."""
    crossing = record.crossing
    return crossing is not None and crossing.home_platform_id == own_id != crossing.serving_platform_id


def build_cross_usage(
    record: UsageRecord, crossing: Crossing, end: RecordEnd, chip: str, names: CrossNames
) -> CrossUsage:
    """Return what one end says of a call: its amount is wholesale, by its own count and the price that the ticket pins."""
    context = record.context
    model = names.models.get(context.model_id, "")
    pinned, ticket = names.find_pinned(crossing, model), names.tickets.get(crossing.ticket_id)
    return CrossUsage(
        end=end,
        record_id=record.id,
        home_id=crossing.home_platform_id,
        serving_id=crossing.serving_platform_id,
        organization_id=context.organization_id,
        ticket_id=crossing.ticket_id,
        model=model,
        model_digest=context.model_digest,
        price_id=context.price_id if pinned is None else pinned.price_id,
        currency="" if ticket is None else ticket.currency,
        region=names.regions.get(context.site_id, ""),
        chip=chip,
        # The moment that home wrote into the id, and not when the call came here.
        admitted_at_ms=find_admission_ms(record.id),
        outcome=record.outcome,
        http_status=record.http_status,
        usage_source=record.usage_source,
        quantities=record.quantities,
        amount_nano=0 if pinned is None else compute_amount_nano(pinned.nano_per_million, record.quantities),
        request_bytes=record.request_bytes,
        response_bytes=record.response_bytes,
        event_count=record.event_count,
        max_tokens=None,
    )


async def keep_served(
    transaction: Transaction, posted: Sequence[PostedRecord], charges: Iterable[CrossCharge], now: datetime
) -> Sequence[IntakeOutcome]:
    """Keep what this platform says of those calls, of the ones it has just posted, that their homes owe it; return what became of each.

    What suspense pays for here is told to nobody: it is this platform's risk. Nor does a call need to have crossed: a guest may
    have shown its key here.
    """
    owed = {charge.record_id: charge for charge in charges}
    served = [each for each in posted if each.record.id in owed]
    if not served:
        return ()
    ticket_ids = {charge.ticket_id for charge in owed.values()}
    names = await _load_names(transaction, [each.record for each in served], ticket_ids)
    usages = [_build_served(each, owed[each.record.id], names) for each in served]
    return [await keep_own_record(transaction, usage, now) for usage in usages]


def _build_served(posted: PostedRecord, charge: CrossCharge, names: CrossNames) -> CrossUsage:
    """Return what is said of a call as it was charged here: at the pinned price, or at a lower one that everybody pays by now."""
    crossing = Crossing(charge.counterparty_id, charge.platform_id, charge.ticket_id)
    usage = build_cross_usage(posted.record, crossing, RecordEnd.SERVING, posted.charge.chip, names)
    return replace(usage, amount_nano=charge.wholesale_nano)


async def keep_forwarded(
    transaction: Transaction, records: Sequence[UsageRecord], now: datetime
) -> Mapping[RecordId, IntakeOutcome]:
    """Keep home's own word of calls that others served, and return what became of each."""
    ticket_ids = {record.crossing.ticket_id for record in records if record.crossing is not None}
    names = await _load_names(transaction, records, ticket_ids)
    outcomes: dict[RecordId, IntakeOutcome] = {}
    for record in records:
        assert record.crossing is not None
        usage = build_cross_usage(record, record.crossing, RecordEnd.HOME, "", names)
        outcomes[record.id] = await keep_own_record(transaction, usage, now)
    return outcomes


async def keep_own_record(transaction: Transaction, usage: CrossUsage, now: datetime) -> IntakeOutcome:
    """Keep what this platform says of a call, in the transaction that takes it in, and have it told."""
    leaf = write_cross_leaf(usage)
    period = name_settlement(usage.admitted_at_ms)
    record = CrossRecord(usage, leaf, hash_leaf(leaf), period, None, CrossState.SETTLED, "", now)
    if await transaction.cross_records.insert(record):
        await transaction.outbox.put(WorkNoun.SETTLEMENT, SETTLEMENT_ID, now)
        return IntakeOutcome.CREATED
    ends = await transaction.cross_records.list_ends(EVERYTHING, [usage.record_id])
    is_same = any(each.leaf == leaf for each in ends)
    return IntakeOutcome.EXISTS if is_same else IntakeOutcome.DIFFERS


async def _load_names(
    transaction: Transaction, records: Sequence[UsageRecord], ticket_ids: Iterable[TicketId]
) -> CrossNames:
    models = await transaction.models.list_by_ids(EVERYTHING, {record.context.model_id for record in records})
    sites = await transaction.sites.list_all(EVERYTHING)
    return CrossNames(
        {model.id: model.facts.name for model in models},
        {site.id: site.region for site in sites},
        await transaction.platform_tickets.find_many(EVERYTHING, ticket_ids),
    )
