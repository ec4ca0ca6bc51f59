"""What is held of a record that came: by the rules, and by what both ends of its call say. What both agree on is settled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import CrossRecord, CrossState, CrossUsage, RecordEnd
from keisan.domain.errors import NotFound
from keisan.domain.limits import FOREIGN_OUTPUT_TOKENS_MAX, FOREIGN_TEMPLATE_TOKENS_MAX
from keisan.domain.price import TokenClass
from keisan.domain.settlement import PlatformDispute
from keisan.federation.rule_match import MatchTerms, judge_alone, match_ends
from keisan.federation.rule_settlement import BatchFacts, decide_state, judge_record
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()
# One author wrote two leaves for one call: the second is kept nowhere, and the roots of both sides will differ.
TOLD_TWICE = "told_twice"


async def keep_record(
    transaction: Transaction, control: Control, record: CrossRecord, facts: BatchFacts
) -> CrossRecord | None:
    """Judge a record that a batch told, keep it, and return it; one of its author and id that is here stays as it is: None."""
    usage = record.usage
    ends = {each.usage.end: each for each in await transaction.cross_records.find_ends(EVERYTHING, usage.record_id)}
    kept = ends.get(usage.end)
    if kept is not None:
        if kept.leaf_hash != record.leaf_hash:
            await _put_dispute(transaction, control, record, (TOLD_TWICE,))
        elif kept.batch_id is None and record.batch_id is not None:
            # An own one, and the batch that told it was lost with a disk.
            await transaction.cross_records.enter_batch(usage.author, [usage.record_id], record.batch_id, record.period)
        return None
    hold = judge_record(usage, facts)
    other = ends.get(RecordEnd.HOME if usage.end is RecordEnd.SERVING else RecordEnd.SERVING)
    codes = await _compare_ends(transaction, usage, None if other is None else other.usage)
    state, code = decide_state(hold, codes)
    judged = replace(record, state=state, code=code)
    await transaction.cross_records.insert(judged)
    await _note_difference(transaction, control, judged, other, codes)
    return judged


async def match_own_record(transaction: Transaction, control: Control, record: CrossRecord) -> None:
    """Judge an own record that is about to be told, by what the other end has said of the call before."""
    ends = await transaction.cross_records.find_ends(EVERYTHING, record.usage.record_id)
    other = next((each for each in ends if each.usage.end is not record.usage.end), None)
    codes = await _compare_ends(transaction, record.usage, None if other is None else other.usage)
    if codes:
        state, code = decide_state(None, codes)
        await transaction.cross_records.judge(record.usage.author, record.usage.record_id, state, code)
        await _note_difference(transaction, control, record, other, codes)


async def _compare_ends(transaction: Transaction, usage: CrossUsage, other: CrossUsage | None) -> tuple[str, ...]:
    """Return what is wrong with a call by what is known of it: one end, or both."""
    found = {each.end: each for each in (usage, other) if each is not None}
    serving, home = found.get(RecordEnd.SERVING), found.get(RecordEnd.HOME)
    if serving is None:
        # Home's word alone asks for nothing.
        return ()
    terms = await find_terms(transaction, serving)
    return judge_alone(serving, terms) if home is None else match_ends(home, serving, terms)


async def find_terms(transaction: Transaction, serving: CrossUsage) -> MatchTerms:
    """Return what was agreed on before a call: the price that its ticket pins, and what its model may do."""
    model = await transaction.models.find_by_name(EVERYTHING, serving.model)
    return MatchTerms(
        nano_per_million=await find_pinned_price(transaction, serving),
        template_tokens_max=FOREIGN_TEMPLATE_TOKENS_MAX if model is None else model.facts.template_tokens_max,
        output_tokens_max=FOREIGN_OUTPUT_TOKENS_MAX if model is None else model.facts.output_tokens_max,
    )


async def find_pinned_price(transaction: Transaction, serving: CrossUsage) -> Mapping[TokenClass, int] | None:
    """Return the wholesale price that a call's ticket pins, None for a ticket or a price that there is not: then nothing is owed."""
    try:
        ticket = await transaction.platform_tickets.get(EVERYTHING, serving.ticket_id)
    except NotFound:
        return None
    if (ticket.organization_id, ticket.currency) != (serving.organization_id, serving.currency):
        return None
    return next((each.nano_per_million for each in ticket.prices if each.price_id == serving.price_id), None)


async def _note_difference(
    transaction: Transaction, control: Control, record: CrossRecord, other: CrossRecord | None, codes: Sequence[str]
) -> None:
    """Keep a dispute for people, and hold back the other end's record as well; what a rule suspends stays suspended."""
    if not codes:
        return
    await _put_dispute(transaction, control, record, codes)
    if other is not None and other.state is CrossState.SETTLED:
        state, code = decide_state(None, codes)
        await transaction.cross_records.judge(other.usage.author, other.usage.record_id, state, code)


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
