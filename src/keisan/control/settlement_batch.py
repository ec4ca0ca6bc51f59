"""Batches: records of calls across platforms are signed together and told; what comes is judged, kept and signed for in return.

A batch is believed by its own signature, whoever brings it: so a platform whose disk was set back is given what it had signed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from keisan.control.context import Control
from keisan.control.office import Office
from keisan.control.settlement_match import keep_records, match_own_records
from keisan.control.settlement_money import charge_served, note_forwarded
from keisan.control.settlement_period import check_period_again
from keisan.control.settlement_sign import (
    Correspondence,
    answer_settlement,
    draft_settlement_letter,
    is_reached,
    open_letter,
    send_settlement,
    sign_text,
)
from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import BatchHeader, CrossBatch, CrossRecord, CrossState, CrossUsage, LeafMark
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.limits import CROSS_BATCH_BYTES_MAX, CROSS_BATCH_RECORDS_MAX
from keisan.domain.merkle import hash_leaf
from keisan.domain.settlement import SettlementKey, SettlementState, SignedText
from keisan.federation.rule_settlement import (
    BatchFacts,
    Standing,
    check_usage,
    choose_settlement,
    compute_leaves_root,
    order_leaves,
)
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.ledger.cross_usage import CrossPosting, write_cross_entry
from keisan.storage.base import Transaction
from keisan.wire.cross_leaf import read_cross_leaf
from keisan.wire.letter import LetterDraft
from keisan.wire.settlement import (
    CountersignatureBody,
    CountersignatureOf,
    UsageBody,
    read_usage,
    write_countersigned,
    write_usage,
)
from keisan.wire.settlement_text import read_batch, write_batch

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """A batch that came, with its leaves as they were written and what they say."""

    batch: CrossBatch
    lines: Sequence[tuple[CrossUsage, bytes]]

    @property
    def key(self) -> SettlementKey:
        """Return which settlement it is of."""
        header = self.batch.header
        return SettlementKey(header.author, header.audience, header.period)


async def take_pair(transaction: Transaction, control: Control, key: SettlementKey) -> SettlementState:
    """Lock a settlement and the one of the other direction, opening what is new, and return the state of the first.

    Both are ended in their time, so that a net position has two sides. Always in one order, or two could wait for each other.
    """
    back = SettlementKey(key.audience, key.author, key.period)
    now = control.clock.now()
    states = {each: (await transaction.settlements.take(each, now)).state for each in sorted((key, back), key=_order)}
    return states[key]


async def send_batches(transaction: Transaction, control: Control) -> int:
    """Sign and send own records that wait, oldest first, and return how many were sent; some may be left for the next time.

    What is for a platform that no link leads to goes on waiting, and holds up nobody else's.
    """
    own_id, sent = control.platform_id, 0
    for audience in await transaction.cross_records.list_waiting_audiences(EVERYTHING, own_id):
        if await is_reached(transaction, audience):
            sent += await _send_waiting(transaction, control, audience)
    return sent


async def _send_waiting(transaction: Transaction, control: Control, audience: PlatformId) -> int:
    own_id = control.platform_id
    waiting = await transaction.cross_records.list_waiting(EVERYTHING, own_id, audience, CROSS_BATCH_RECORDS_MAX)
    ended = await transaction.settlements.list_ended(EVERYTHING, own_id, audience)
    groups: dict[str, list[CrossRecord]] = {}
    for record in waiting:
        groups.setdefault(choose_settlement(record.usage.admitted_at_ms, ended), []).append(record)
    sent = 0
    for period, records in sorted(groups.items()):
        key = SettlementKey(own_id, audience, period)
        # Whoever ended it since has what it had then; these go to the next one.
        if await take_pair(transaction, control, key) is SettlementState.OPEN:
            chosen = cut_batch(records)
            await _send_batch(transaction, control, key, chosen)
            sent += len(chosen)
    return sent


def cut_batch(records: Sequence[CrossRecord]) -> list[CrossRecord]:
    """Return as many of some records, at least one, as a batch has room for."""
    chosen, room = list(records[:1]), CROSS_BATCH_BYTES_MAX
    for record in records[1:]:
        room -= len(record.leaf)
        if room < len(records[0].leaf):
            break
        chosen.append(record)
    return chosen


async def _send_batch(
    transaction: Transaction, control: Control, key: SettlementKey, records: Sequence[CrossRecord]
) -> None:
    await match_own_records(transaction, control, records)
    await note_forwarded(transaction, control, key.audience, records)
    marks = list_marks(records)
    header = BatchHeader(
        id=create_id(),
        author=key.author,
        audience=key.audience,
        period=key.period,
        record_count=len(records),
        records_root=compute_leaves_root(marks),
        made_at_ms=to_milliseconds(control.clock.now()),
    )
    signed = sign_text(control, write_batch(header))
    batch = CrossBatch(header, signed.content, signed.signature, signed.public_key)
    await transaction.cross_batches.insert(batch)
    record_ids = [record.usage.record_id for record in records]
    await transaction.cross_records.enter_batch(key.author, record_ids, header.id, key.period)
    await send_settlement(transaction, control, [draft_batch(control, batch, records, key.audience)])


def list_marks(records: Iterable[CrossRecord]) -> list[LeafMark]:
    """Return the leaves of records in their order."""
    return order_leaves(LeafMark(record.usage.record_id, record.leaf_hash) for record in records)


def draft_batch(
    control: Control, batch: CrossBatch, records: Sequence[CrossRecord], audience: PlatformId
) -> LetterDraft:
    """Return the letter that tells a batch, with its bytes as they were signed: an own one, or one that is given back."""
    leaves = {record.usage.record_id: record.leaf for record in records}
    ordered = tuple(leaves[record_id] for record_id in sorted(leaves))
    body = write_usage(UsageBody(SignedText(batch.content, batch.signature, batch.public_key), ordered))
    period = batch.header.period if batch.header.author == control.platform_id else ""
    return draft_settlement_letter(control, LetterKind.USAGE, body, audience, period)


async def apply_usage(transaction: Transaction, office: Office, _arrival: Arrival, letter: Letter) -> None:
    """Take a batch of another platform, or one of its own that another gives back, charge what it tells, and sign for it.

    Raises InvalidInput for one that is not between the two, whose signature does not hold, or whose leaves are not under its root.
    """
    control = office.control
    correspondence = open_letter(office, letter)
    read = read_batch_letter(correspondence)
    key, header = read.key, read.batch.header
    state = await take_pair(transaction, control, key)
    posting = CrossPosting({})
    if await transaction.cross_batches.insert(read.batch):
        facts = BatchFacts(
            period=header.period,
            made_at_ms=header.made_at_ms,
            is_countersigned=state is SettlementState.COUNTERSIGNED,
            # What comes back is this platform's own word, whoever brings it.
            standing=correspondence.standing if header.author == letter.author else Standing(),
        )
        kept = await keep_records(transaction, control, _build_records(read, control.clock.now()), facts)
        if header.author == control.platform_id:
            await note_forwarded(transaction, control, header.audience, kept)
        else:
            posting = await charge_served(transaction, control, header.author, kept)
    if header.audience == control.platform_id:
        await _sign_batch(transaction, control, read.batch)
    if state is not SettlementState.OPEN:
        await check_period_again(transaction, control, key)
    # Last: what writes an entry locks the journal's end, and waits for nothing else after it.
    await write_cross_entry(transaction, control.journal, posting)


def _build_records(read: ReadBatch, now: datetime) -> list[CrossRecord]:
    header = read.batch.header
    return [
        CrossRecord(usage, leaf, hash_leaf(leaf), header.period, header.id, CrossState.SETTLED, "", now)
        for usage, leaf in read.lines
    ]


def read_batch_letter(correspondence: Correspondence) -> ReadBatch:
    """Return the batch of a letter, checked from its signature to its last leaf; raises InvalidInput."""
    body = read_usage(correspondence.letter.body)
    header = read_batch(body.signed.content)
    correspondence.check_pair(SettlementKey(header.author, header.audience, header.period))
    correspondence.check_signed(body.signed, header.author)
    lines = [(read_cross_leaf(leaf), leaf) for leaf in body.leaves]
    for usage, _ in lines:
        check_usage(usage, header.author, header.audience)
    marks = [LeafMark(usage.record_id, hash_leaf(leaf)) for usage, leaf in lines]
    is_once = len({each.leaf_id for each in marks}) == len(marks) == header.record_count
    if not is_once or compute_leaves_root(marks) != header.records_root:
        raise InvalidInput("these are not the leaves that were signed", "leaves")
    signed = body.signed
    return ReadBatch(CrossBatch(header, signed.content, signed.signature, signed.public_key), lines)


async def _sign_batch(transaction: Transaction, control: Control, batch: CrossBatch) -> None:
    """Sign the same bytes that the author signed, and send the signature; the same batch again is sent the same one again."""
    signed = sign_text(control, batch.content)
    await transaction.cross_batches.add_countersignature(batch.header.id, signed.signature, signed.public_key)
    body = write_countersigned(CountersignatureBody(CountersignatureOf.BATCH, signed))
    draft = draft_settlement_letter(control, LetterKind.COUNTERSIGNATURE, body, batch.header.author)
    await answer_settlement(transaction, control, [draft])


def _order(key: SettlementKey) -> tuple[str, str, str]:
    return key.period, key.author, key.audience
