"""What is done with letters that came: passed on, handed to who applies their kind, or refused and kept. None is lost, none blocks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from keisan.control.admission import apply_admission
from keisan.control.context import Control
from keisan.control.grant import apply_grant_want
from keisan.control.grant_want import apply_grant
from keisan.control.key_book import load_key_book
from keisan.control.link_place import Neighbourhood, find_known_way, load_neighbourhood
from keisan.control.platform_credit import apply_credit, apply_credit_return
from keisan.control.settlement_batch import apply_usage
from keisan.control.settlement_compare import apply_comparison
from keisan.control.settlement_period import apply_countersignature, apply_period_end
from keisan.control.settlement_total import apply_totals
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvalidInput, KeisanError, LetterUnknown, LetterUnroutable, PermissionDenied, Refused
from keisan.domain.ids import LinkId
from keisan.domain.letter import Arrival, Letter, LetterKind, RefusedLetter
from keisan.domain.link_log import LinkLog
from keisan.federation.key_book import KeyBook, check_letter
from keisan.storage.base import Transaction
from keisan.wire.letter import check_body

# Handlers check before they write: what one refuses stays undone, and the transaction goes on.
LetterHandler = Callable[[Transaction, Control, Arrival, Letter], Awaitable[None]]


# What may be otherwise once more platforms are known, or a newer release runs.
RETRIED_CODES = frozenset({LetterUnroutable.code, LetterUnknown.code, PermissionDenied.code})
RETRIED_MAX = 1_000

# By kind: who applies items of logs, who acts on registers that are newer, and who takes back what this platform itself has said
# and forgotten, since its disk is older.
HANDLERS: Mapping[str, LetterHandler] = {
    LetterKind.USAGE: apply_usage,
    LetterKind.TOTALS: apply_totals,
    LetterKind.PERIOD_END: apply_period_end,
    LetterKind.COUNTERSIGNATURE: apply_countersignature,
    LetterKind.COMPARISON: apply_comparison,
    LetterKind.CREDIT_RETURN: apply_credit_return,
}
REGISTER_HANDLERS: Mapping[str, LetterHandler] = {
    LetterKind.GRANT_WANT: apply_grant_want,
    LetterKind.GRANT: apply_grant,
    LetterKind.CREDIT: apply_credit,
    LetterKind.ADMISSION: apply_admission,
}
REGAIN_HANDLERS: Mapping[str, LetterHandler] = {}


async def deliver_items(
    transaction: Transaction, control: Control, arrival: Arrival, log: LinkLog, letters: Sequence[Letter]
) -> None:
    """Pass on or apply items of a neighbour's log, in order, within the transaction that moves its cursor."""
    office = await open_office(transaction, control)
    for letter in letters:
        try:
            await _deliver(transaction, office, arrival, log, letter)
        except (InvalidInput, PermissionDenied, Refused) as refusal:
            await refuse_letter(transaction, arrival, letter, refusal)


async def retry_letters(transaction: Transaction, control: Control) -> int:
    """Deliver letters that were refused because too little was known here, and return how many are delivered now."""
    office, delivered = await open_office(transaction, control), 0
    refused = await transaction.refused_letters.list_link(PlatformScope(), None, RETRIED_MAX)
    # In the order in which they came.
    for each in reversed([each for each in refused if each.code in RETRIED_CODES]):
        link = office.around.find(each.link_id)
        if link is None:
            continue
        arrival = Arrival(each.link_id, link.neighbour_id, each.arrived_at)
        try:
            await _deliver(transaction, office, arrival, None, each.letter)
        except (InvalidInput, PermissionDenied, Refused):
            continue
        await transaction.refused_letters.drop(each.letter.id)
        delivered += 1
    return delivered


@dataclass(frozen=True, slots=True)
class Office:
    """Whom this platform believes, and where its links lead, as of one transaction."""

    control: Control
    book: KeyBook
    around: Neighbourhood


async def open_office(transaction: Transaction, control: Control) -> Office:
    """Return what it takes to deliver letters."""
    return Office(control, await load_key_book(transaction, control), await load_neighbourhood(transaction))


async def _deliver(
    transaction: Transaction, office: Office, arrival: Arrival, log: LinkLog | None, letter: Letter
) -> None:
    """Apply a letter, or pass it on in a log; None for one that has waited."""
    check_letter(letter, office.book)
    if letter.audience in (None, office.control.platform_id):
        await _apply(transaction, office.control, arrival, letter)
    else:
        await _pass_on(transaction, office.around, arrival, log, letter)


async def _pass_on(
    transaction: Transaction, around: Neighbourhood, arrival: Arrival, log: LinkLog | None, letter: Letter
) -> None:
    assert letter.audience is not None
    known = await find_known_way(transaction, around, letter.audience)
    link = known or around.parent
    if link is None:
        raise LetterUnroutable("no link leads to this letter's audience")
    if link.id == arrival.link_id and (known is None or letter.audience == arrival.neighbour_id):
        # Who sent it knows no more than this platform does, or sends what is for itself: that would go in a circle.
        raise LetterUnroutable("the way to this letter's audience is the one it came by")
    is_back = link.id == arrival.link_id
    chosen = await _choose_log(transaction, link.id, log, letter) if is_back else log or LinkLog.LEDGER
    await transaction.outgoing_logs.append(link.id, chosen, [letter])


async def _choose_log(transaction: Transaction, link_id: LinkId, log: LinkLog | None, letter: Letter) -> LinkLog:
    """Return the log in which a letter goes back where it came from; raises LetterUnroutable once it has gone that way.

    It may go back: a neighbour sent it up before it had heard who is below it, and has told so since. If it comes back again, one of
    the two does not know yet, and a log that has it would take it for delivered. So it waits, and goes by the other log
    when more is known: the neighbour waits with it then, if it is the neighbour who does not know.
    """
    taken = [each for each in LinkLog if await transaction.outgoing_logs.has_letter(link_id, each, letter)]
    left = [each for each in LinkLog if each not in taken and log in (None, each)]
    if not left or (taken and log is not None):
        raise LetterUnroutable("this letter went that way before, and came back")
    return left[0]


async def _apply(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    handler = HANDLERS.get(letter.kind)
    if handler is None:
        raise LetterUnknown(f"letters of kind {letter.kind!r} are not known to this release")
    check_body(letter.body)
    await handler(transaction, control, arrival, letter)


async def refuse_letter(transaction: Transaction, arrival: Arrival, letter: Letter, refusal: KeisanError) -> None:
    """Keep a letter that was not applied, for a person to judge."""
    refused = RefusedLetter(letter, arrival.link_id, refusal.code, refusal.outside, arrival.arrived_at)
    await transaction.refused_letters.insert(refused)
