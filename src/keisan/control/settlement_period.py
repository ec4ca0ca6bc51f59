"""Periods between two platforms: ended by the author's word, signed for by the audience once it holds the same, compared if not.

Each settlement stands by itself: one whose author is silent stays open, and holds up no other.
"""

from collections.abc import Sequence
from dataclasses import replace

from keisan.control.context import Control
from keisan.control.office import Office
from keisan.control.settlement_sign import (
    answer_settlement,
    draft_settlement_letter,
    open_letter,
    send_settlement,
    sign_text,
)
from keisan.domain.access import PlatformScope
from keisan.domain.cross_record import CrossState, LeafMark, RecordEnd
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.settlement import (
    CountersignedPeriod,
    CrossSum,
    PeriodStatement,
    Settlement,
    SettlementKey,
    SettlementState,
    SignedText,
    check_move,
)
from keisan.federation.rule_comparison import ROOT
from keisan.federation.rule_settlement import compute_leaves_root, decide_ended, digest_text, is_same_period
from keisan.kit.clock import to_milliseconds
from keisan.storage.base import Transaction
from keisan.wire.settlement import (
    ComparisonBody,
    CountersignatureBody,
    CountersignatureOf,
    read_countersigned,
    read_signed,
    write_comparison,
    write_countersigned,
    write_signed,
)
from keisan.wire.settlement_text import (
    read_batch,
    read_countersignature,
    read_period_end,
    write_countersignature,
    write_period_end,
)

EVERYTHING = PlatformScope()


def name_key(settlement: Settlement) -> SettlementKey:
    """Return which settlement it is."""
    return SettlementKey(settlement.author, settlement.audience, settlement.period)


async def list_leaves(transaction: Transaction, key: SettlementKey) -> list[LeafMark]:
    """Return all leaves of a settlement that are here: of records in batches, and of hourly totals."""
    records = await transaction.cross_records.list_marks(EVERYTHING, key)
    totals = await transaction.totals.list_key(EVERYTHING, key)
    return [*records, *(LeafMark(told.total.id, told.leaf_hash) for told in totals)]


async def end_period(transaction: Transaction, control: Control, key: SettlementKey) -> Settlement:
    """Sign and send that a period is over for one audience; once more, with a higher revision, if what it holds has changed.

    Raises StateConflict for one that both have signed for, InvalidInput for another author's.
    """
    if key.author != control.platform_id:
        raise InvalidInput("a period is ended by its author", "author")
    settlement = await transaction.settlements.take(key, control.clock.now())
    if settlement.state is SettlementState.COUNTERSIGNED:
        raise StateConflict("both sides have signed for this period")
    statement = await _draw_statement(transaction, control, settlement)
    signed = sign_text(control, write_period_end(statement))
    ended = await _end(transaction, control, settlement, signed, statement.revision)
    draft = draft_settlement_letter(control, LetterKind.PERIOD_END, write_signed(signed), key.audience, key.period)
    await send_settlement(transaction, control, [draft])
    return ended


async def apply_period_end(transaction: Transaction, office: Office, _arrival: Arrival, letter: Letter) -> None:
    """Take an author's word that a period is over, and sign for it if all of it is here; else ask where trees differ.

    Raises InvalidInput for a word that is not its author's, or not to this platform.
    """
    control = office.control
    correspondence = open_letter(office, letter)
    signed = read_signed(letter.body)
    statement = read_period_end(signed.content)
    key = SettlementKey(statement.author, statement.audience, statement.period)
    if key.author != letter.author:
        raise InvalidInput("a period is ended by its author", "author")
    correspondence.check_pair(key)
    correspondence.check_signed(signed, key.author)
    settlement = await transaction.settlements.take(key, control.clock.now())
    if decide_ended(settlement, statement):
        await _end(transaction, control, settlement, signed, statement.revision)
    await check_period_again(transaction, control, key)


async def check_period_again(transaction: Transaction, control: Control, key: SettlementKey) -> None:
    """Do what follows from what is here now of an ended period: the audience signs or asks, the author ends it anew.

    What was signed for is sent again: its letter may have been lost with a disk.
    """
    settlement = await transaction.settlements.take(key, control.clock.now())
    if settlement.statement is None:
        return
    statement = read_period_end(settlement.statement.content)
    is_same = is_same_period(statement, await list_leaves(transaction, key))
    if key.author == control.platform_id:
        if settlement.state is not SettlementState.COUNTERSIGNED and not is_same:
            await end_period(transaction, control, key)
    elif settlement.countersignature is not None:
        await _send_countersignature(transaction, control, settlement, settlement.countersignature)
    elif is_same:
        await _sign_period(transaction, control, settlement)
    else:
        await _ask(transaction, control, settlement)


async def apply_countersignature(transaction: Transaction, office: Office, _arrival: Arrival, letter: Letter) -> None:
    """Take the other side's signature, for a batch or for a period.

    Raises InvalidInput for one that does not hold, is not the letter's author's, or is for what this platform did not sign.
    """
    control = office.control
    correspondence = open_letter(office, letter)
    body = read_countersigned(letter.body)
    correspondence.check_signed(body.signed, letter.author)
    if body.of is CountersignatureOf.BATCH:
        header = read_batch(body.signed.content)
        batch = await transaction.cross_batches.find(EVERYTHING, header.id)
        is_own = (header.author, header.audience) == (control.platform_id, letter.author)
        if not is_own or batch is None or batch.content != body.signed.content:
            raise InvalidInput("this is no batch that was told to its signer", "content")
        await transaction.cross_batches.add_countersignature(header.id, body.signed.signature, body.signed.public_key)
        return
    told = read_countersignature(body.signed.content)
    if (told.author, told.signer) != (control.platform_id, letter.author):
        raise InvalidInput("this is no period that was ended for its signer", "content")
    key = SettlementKey(told.author, told.signer, told.period)
    settlement = await transaction.settlements.take(key, control.clock.now())
    is_newest = settlement.statement is not None and told.statement_sha256 == digest_text(settlement.statement.content)
    if is_newest and settlement.state is not SettlementState.COUNTERSIGNED:
        await _close(transaction, control, settlement, body.signed)


async def _draw_statement(transaction: Transaction, control: Control, settlement: Settlement) -> PeriodStatement:
    key = name_key(settlement)
    marks = await list_leaves(transaction, key)
    total_count = len(await transaction.totals.list_key(EVERYTHING, key))
    sums = await transaction.cross_records.sum(EVERYTHING, key)
    return PeriodStatement(
        author=key.author,
        audience=key.audience,
        period=key.period,
        revision=settlement.revision + 1,
        record_count=len(marks) - total_count,
        total_count=total_count,
        leaves_root=compute_leaves_root(marks),
        receivable_nano=_add_up(sums, RecordEnd.SERVING, frozenset(CrossState)),
        payable_nano=_add_up(sums, RecordEnd.HOME, frozenset(CrossState)),
        ended_at_ms=to_milliseconds(control.clock.now()),
    )


def _add_up(sums: Sequence[CrossSum], end: RecordEnd, states: frozenset[CrossState]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in sums:
        if each.end is end and each.state in states:
            found[each.currency] = found.get(each.currency, 0) + each.amount_nano
    return found


async def _end(
    transaction: Transaction,
    control: Control,
    settlement: Settlement,
    statement: SignedText,
    revision: int,
) -> Settlement:
    check_move(settlement.state, SettlementState.ENDED)
    moved = replace(
        settlement,
        state=SettlementState.ENDED,
        statement=statement,
        revision=revision,
        ended_at=control.clock.now(),
        version=settlement.version + 1,
    )
    await transaction.settlements.update(moved)
    return moved


async def _sign_period(transaction: Transaction, control: Control, settlement: Settlement) -> None:
    """Sign for a period of which all is here, and say how much of it is settled and held back."""
    assert settlement.statement is not None
    sums = await transaction.cross_records.sum(EVERYTHING, name_key(settlement))
    countersigned = CountersignedPeriod(
        signer=control.platform_id,
        author=settlement.author,
        period=settlement.period,
        statement_sha256=digest_text(settlement.statement.content),
        settled_nano=_add_up(sums, RecordEnd.SERVING, frozenset({CrossState.SETTLED})),
        held_nano=_add_up(sums, RecordEnd.SERVING, frozenset({CrossState.SUSPENDED, CrossState.DISPUTED})),
        signed_at_ms=to_milliseconds(control.clock.now()),
    )
    signed = sign_text(control, write_countersignature(countersigned))
    await _close(transaction, control, settlement, signed)
    await _send_countersignature(transaction, control, settlement, signed)


async def _close(
    transaction: Transaction, control: Control, settlement: Settlement, countersignature: SignedText
) -> None:
    check_move(settlement.state, SettlementState.COUNTERSIGNED)
    closed = replace(
        settlement,
        state=SettlementState.COUNTERSIGNED,
        countersignature=countersignature,
        countersigned_at=control.clock.now(),
        version=settlement.version + 1,
    )
    await transaction.settlements.update(closed)


async def _send_countersignature(
    transaction: Transaction, control: Control, settlement: Settlement, signed: SignedText
) -> None:
    body = write_countersigned(CountersignatureBody(CountersignatureOf.PERIOD, signed))
    draft = draft_settlement_letter(control, LetterKind.COUNTERSIGNATURE, body, settlement.author)
    await answer_settlement(transaction, control, [draft])


async def _ask(transaction: Transaction, control: Control, settlement: Settlement) -> None:
    """Begin a comparison at the root, once: it goes on by its answers, and is begun anew when more has come."""
    if settlement.state is not SettlementState.DIFFERS:
        check_move(settlement.state, SettlementState.DIFFERS)
        differing = replace(settlement, state=SettlementState.DIFFERS, version=settlement.version + 1)
        await transaction.settlements.update(differing)
    await ask_root(transaction, control, name_key(settlement))


async def ask_root(transaction: Transaction, control: Control, key: SettlementKey) -> None:
    """Ask the other side of a settlement for the root of its tree."""
    other = key.audience if key.author == control.platform_id else key.author
    body = write_comparison(ComparisonBody(key.author, key.audience, key.period, asked=(ROOT,)))
    await answer_settlement(
        transaction, control, [draft_settlement_letter(control, LetterKind.COMPARISON, body, other)]
    )
