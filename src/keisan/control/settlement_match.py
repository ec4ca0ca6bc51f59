"""What is held of a record that came: by the rules, and by what both ends of its call say. What both agree on is settled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import CrossRecord, CrossState, CrossUsage, RecordEnd
from keisan.domain.ids import RecordId
from keisan.domain.limits import FOREIGN_OUTPUT_TOKENS_MAX, FOREIGN_TEMPLATE_TOKENS_MAX
from keisan.domain.model import ModelFacts
from keisan.domain.platform_ticket import PlatformTicket
from keisan.domain.price import TokenClass
from keisan.domain.settlement import PlatformDispute
from keisan.federation.rule_match import MatchTerms, judge_alone, match_ends
from keisan.federation.rule_settlement import BatchFacts, decide_state, judge_record
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()
# One author wrote two leaves for one call: the second is kept nowhere, and the roots of both sides will differ.
TOLD_TWICE = "told_twice"
OTHER_END = {RecordEnd.HOME: RecordEnd.SERVING, RecordEnd.SERVING: RecordEnd.HOME}

Ends = Mapping[tuple[RecordId, RecordEnd], CrossRecord]


@dataclass(frozen=True, slots=True)
class _Call:
    """One end's record of a call, and the other end's if that has come."""

    record: CrossRecord
    other: CrossRecord | None

    @property
    def serving(self) -> CrossUsage | None:
        """Return the serving platform's word, None for home's alone: that asks for nothing."""
        ends = [self.record, *([] if self.other is None else [self.other])]
        return next((each.usage for each in ends if each.usage.end is RecordEnd.SERVING), None)

    def compare(self, terms: Mapping[RecordId, MatchTerms]) -> tuple[str, ...]:
        """Return what is wrong with the call by what is known of it: one end, or both."""
        serving = self.serving
        if serving is None:
            return ()
        agreed = terms[serving.record_id]
        if self.other is None:
            return judge_alone(serving, agreed)
        home = self.other.usage if self.record.usage is serving else self.record.usage
        return match_ends(home, serving, agreed)


# A call with what is wrong with it, nothing if both ends agree.
Compared = tuple[_Call, tuple[str, ...]]


async def keep_records(
    transaction: Transaction, control: Control, records: Sequence[CrossRecord], facts: BatchFacts
) -> list[CrossRecord]:
    """Judge the records that a batch told, each of another call, keep and return them; one that is here stays as it is."""
    ends, new = await _load_ends(transaction, records), list[CrossRecord]()
    for record in records:
        kept = ends.get((record.usage.record_id, record.usage.end))
        if kept is None:
            new.append(record)
        else:
            await _take_again(transaction, control, record, kept)
    compared = await _compare_ends(transaction, new, ends)
    judged: list[CrossRecord] = []
    for call, codes in compared:
        state, code = decide_state(judge_record(call.record.usage, facts), codes)
        judged.append(replace(call.record, state=state, code=code))
    await transaction.cross_records.insert_missing(judged)
    await _note_differences(transaction, control, compared)
    return judged


async def match_own_records(transaction: Transaction, control: Control, records: Sequence[CrossRecord]) -> None:
    """Judge own records that are about to be told, by what the other end has said of their calls before."""
    compared = await _compare_ends(transaction, records, await _load_ends(transaction, records))
    for call, codes in compared:
        if codes:
            await _judge(transaction, call.record, codes)
    await _note_differences(transaction, control, compared)


async def load_terms(transaction: Transaction, served: Sequence[CrossUsage]) -> Mapping[RecordId, MatchTerms]:
    """Return what was agreed on before each call: the price that its ticket pins, and what its model may do."""
    models = await transaction.models.list_by_names(EVERYTHING, {each.model for each in served})
    tickets = await transaction.platform_tickets.find_many(EVERYTHING, {each.ticket_id for each in served})
    facts = {model.facts.name: model.facts for model in models}
    return {each.record_id: _draw_terms(each, tickets.get(each.ticket_id), facts.get(each.model)) for each in served}


def _draw_terms(serving: CrossUsage, ticket: PlatformTicket | None, facts: ModelFacts | None) -> MatchTerms:
    return MatchTerms(
        nano_per_million=None if ticket is None else find_pinned_price(serving, ticket),
        template_tokens_max=FOREIGN_TEMPLATE_TOKENS_MAX if facts is None else facts.template_tokens_max,
        output_tokens_max=FOREIGN_OUTPUT_TOKENS_MAX if facts is None else facts.output_tokens_max,
    )


def find_pinned_price(serving: CrossUsage, ticket: PlatformTicket) -> Mapping[TokenClass, int] | None:
    """Return the wholesale price that a call's ticket pins, None for a call that is not the ticket's: then nothing is owed."""
    if (ticket.organization_id, ticket.currency) != (serving.organization_id, serving.currency):
        return None
    return next((each.nano_per_million for each in ticket.prices if each.price_id == serving.price_id), None)


async def _load_ends(transaction: Transaction, records: Iterable[CrossRecord]) -> Ends:
    found = await transaction.cross_records.list_ends(EVERYTHING, {each.usage.record_id for each in records})
    return {(each.usage.record_id, each.usage.end): each for each in found}


async def _compare_ends(transaction: Transaction, records: Iterable[CrossRecord], ends: Ends) -> list[Compared]:
    """Return the calls of records with what is wrong with each."""
    calls = [_Call(each, ends.get((each.usage.record_id, OTHER_END[each.usage.end]))) for each in records]
    terms = await load_terms(transaction, [call.serving for call in calls if call.serving is not None])
    return [(call, call.compare(terms)) for call in calls]


async def _take_again(transaction: Transaction, control: Control, record: CrossRecord, kept: CrossRecord) -> None:
    """Take a record that is here: another leaf of the same call is a dispute, and the batch of an own one may be new."""
    if kept.leaf_hash != record.leaf_hash:
        await _put_dispute(transaction, control, record, (TOLD_TWICE,))
    elif kept.batch_id is None and record.batch_id is not None:
        # An own one, and the batch that told it was lost with a disk.
        usage = record.usage
        await transaction.cross_records.enter_batch(usage.author, [usage.record_id], record.batch_id, record.period)


async def _note_differences(transaction: Transaction, control: Control, compared: Iterable[Compared]) -> None:
    """Keep disputes for people, and hold back the other ends' records as well; what a rule suspends stays suspended."""
    for call, codes in compared:
        if codes:
            await _put_dispute(transaction, control, call.record, codes)
            if call.other is not None and call.other.state is CrossState.SETTLED:
                await _judge(transaction, call.other, codes)


async def _judge(transaction: Transaction, record: CrossRecord, codes: Sequence[str]) -> None:
    """Write that a record is disputed."""
    state, code = decide_state(None, codes)
    await transaction.cross_records.judge(record.usage.author, record.usage.record_id, state, code)


async def _put_dispute(transaction: Transaction, control: Control, record: CrossRecord, codes: Sequence[str]) -> None:
    usage = record.usage
    dispute = PlatformDispute(
        id=usage.record_id,
        platform_id=control.platform_id,
        home_id=usage.home_id,
        serving_id=usage.serving_id,
        period=record.period,
        codes=tuple(codes),
        currency=usage.currency,
        amount_nano=usage.amount_nano,
        created_at=control.clock.now(),
    )
    await transaction.platform_disputes.put(dispute)
