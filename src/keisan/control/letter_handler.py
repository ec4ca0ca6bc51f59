"""What is done with letters that came: passed on, handed to who applies their kind, or refused and kept. None is lost, none blocks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from keisan.control.admission import apply_admission
from keisan.control.context import Control
from keisan.control.grant import apply_grant_want
from keisan.control.grant_want import apply_grant
from keisan.control.link_place import find_known_way
from keisan.control.office import Office, open_office
from keisan.control.platform_credit import apply_credit, apply_credit_return
from keisan.control.settlement_batch import apply_usage
from keisan.control.settlement_compare import apply_comparison
from keisan.control.settlement_period import apply_countersignature, apply_period_end
from keisan.control.settlement_total import apply_totals
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvalidInput, KeisanError, LetterUnknown, LetterUnroutable, PermissionDenied, Refused
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import Arrival, Letter, LetterKind, RefusedLetter
from keisan.domain.link_log import LinkLog
from keisan.federation.key_book import check_letter
from keisan.storage.base import Transaction
from keisan.wire.letter import check_body

# Handlers check before they write: what one refuses stays undone, and the transaction goes on.
LetterHandler = Callable[[Transaction, Office, Arrival, Letter], Awaitable[None]]
RegisterHandler = Callable[[Transaction, Control, Arrival, Letter], Awaitable[None]]


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
REGISTER_HANDLERS: Mapping[str, RegisterHandler] = {
    LetterKind.GRANT_WANT: apply_grant_want,
    LetterKind.GRANT: apply_grant,
    LetterKind.CREDIT: apply_credit,
    LetterKind.ADMISSION: apply_admission,
}
REGAIN_HANDLERS: Mapping[str, RegisterHandler] = {}


async def deliver_items(
    transaction: Transaction, control: Control, arrival: Arrival, log: LinkLog, letters: Sequence[Letter]
) -> int:
    """Pass on or apply items of a neighbour's log, in order, within the transaction that moves its cursor.

    Returns how many are kept as refused: some of them may go on once more is known.
    """
    office, refused = await open_office(transaction, control), 0
    for letter in letters:
        try:
            await _deliver(transaction, office, arrival, log, letter)
        except (InvalidInput, PermissionDenied, Refused) as refusal:
            await refuse_letter(transaction, arrival, letter, refusal)
            refused += 1
    return refused


async def list_retried(transaction: Transaction, link_id: LinkId | None) -> Sequence[RefusedLetter]:
    """Return what was refused because too little was known, by one link or by all, in the order in which it came."""
    refused = await transaction.refused_letters.list_link(PlatformScope(), link_id, RETRIED_MAX)
    return [each for each in reversed(refused) if each.code in RETRIED_CODES]


async def retry_letters(transaction: Transaction, control: Control, told: LinkId | None = None) -> int:
    """Deliver letters that were refused because too little was known, and return how many are delivered now.

    With the link `told`, whose neighbour knows by now all that is known here, those that came by it: they may also go back.
    """
    waiting, delivered = await list_retried(transaction, told), 0
    if not waiting:
        return 0
    office = await open_office(transaction, control)
    for each in waiting:
        link = office.around.find(each.link_id)
        if link is None:
            continue
        arrival = Arrival(each.link_id, link.neighbour_id, each.arrived_at)
        try:
            await _deliver(transaction, replace(office, told=told), arrival, LinkLog.LEDGER, each.letter)
        except (InvalidInput, PermissionDenied, Refused):
            continue
        await transaction.refused_letters.drop(each.letter.id)
        delivered += 1
    return delivered


async def _deliver(transaction: Transaction, office: Office, arrival: Arrival, log: LinkLog, letter: Letter) -> None:
    """Apply a letter, or pass it on in a log, or in another if that had it before."""
    check_letter(letter, office.book)
    if letter.audience in (None, office.control.platform_id):
        await _apply(transaction, office, arrival, letter)
    else:
        link_id = await _find_onward(transaction, office, arrival, letter.audience)
        await transaction.outgoing_logs.append(link_id, await _choose_log(transaction, link_id, log, letter), [letter])


async def _find_onward(transaction: Transaction, office: Office, arrival: Arrival, audience: PlatformId) -> LinkId:
    """Return the link by which a letter goes on; raises LetterUnroutable where none leads on, or none yet.

    It may go back: the neighbour sent it before it had heard where its audience is. That waits until the neighbour knows as
    much as this platform, else the letter would come back again.
    """
    known = await find_known_way(transaction, office.around, audience)
    link = known or office.around.parent
    if link is None:
        raise LetterUnroutable("no link leads to this letter's audience")
    if link.id != arrival.link_id:
        return link.id
    if known is None or audience == arrival.neighbour_id:
        # Who sent it knows no more than this platform does, or sends what is for itself: that would go in a circle.
        raise LetterUnroutable("the way to this letter's audience is the one it came by")
    if link.id != office.told:
        raise LetterUnroutable("this letter goes back where it came from, once that neighbour knows whom it is for")
    return link.id


async def _choose_log(transaction: Transaction, link_id: LinkId, log: LinkLog, letter: Letter) -> LinkLog:
    """Return the log in which a letter goes, the one it came by if that has not had it: it would take it for delivered.

    Raises LetterUnroutable once all have.
    """
    for each in sorted(LinkLog, key=lambda each: each is not log):
        if not await transaction.outgoing_logs.has_letter(link_id, each, letter):
            return each
    raise LetterUnroutable("this letter went that way before, and came back")


async def _apply(transaction: Transaction, office: Office, arrival: Arrival, letter: Letter) -> None:
    handler = HANDLERS.get(letter.kind)
    if handler is None:
        raise LetterUnknown(f"letters of kind {letter.kind!r} are not known to this release")
    check_body(letter.body)
    await handler(transaction, office, arrival, letter)


async def refuse_letter(transaction: Transaction, arrival: Arrival, letter: Letter, refusal: KeisanError) -> None:
    """Keep a letter that was not applied, for a person to judge."""
    refused = RefusedLetter(letter, arrival.link_id, refusal.code, refusal.outside, arrival.arrived_at)
    await transaction.refused_letters.insert(refused)
