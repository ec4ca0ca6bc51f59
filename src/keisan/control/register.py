"""Registers that came: checked, kept where they are newer, and handed to who acts on their kind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keisan.control.context import Control
from keisan.control.key_book import BOOK_KINDS, load_key_book
from keisan.control.letter_handler import REGAIN_HANDLERS, REGISTER_HANDLERS, refuse_letter
from keisan.control.link_place import find_author_link, is_reached, load_neighbourhood
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvalidInput, PermissionDenied, Refused
from keisan.domain.ids import LinkId
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.register import RegisterKey, RegisterLine, mark_register
from keisan.federation.key_book import check_letter, order_for_book
from keisan.storage.base import Transaction
from keisan.wire.letter import check_body


@dataclass(frozen=True, slots=True)
class MergeOutcome:
    """`lines` is what is kept now of the registers that came; `unknown` those whose author is not known yet, or not to be there."""

    lines: Sequence[RegisterLine]
    unknown: Sequence[Letter]


async def merge_registers(
    transaction: Transaction, control: Control, arrival: Arrival, letters: Iterable[Letter]
) -> MergeOutcome:
    """Keep registers that are newer than what is kept, within one transaction.

    Of one of this platform's own, which it has lost, its neighbour reminds it: it is kept as its own again.
    """
    book, unknown, lines = await load_key_book(transaction, control), [], []
    around = await load_neighbourhood(transaction)
    for letter in order_for_book(letters):
        try:
            check_letter(letter, book)
        except PermissionDenied:
            unknown.append(letter)
            continue
        except InvalidInput as refusal:
            await refuse_letter(transaction, arrival, letter, refusal)
            continue
        if not is_reached(letter.author, letter.kind, control.platform_id, book):
            unknown.append(letter)
            continue
        way = find_author_link(around, book, letter.author)
        lines.append(await _merge(transaction, control, arrival, (letter, None if way is None else way.id)))
        if letter.kind in BOOK_KINDS:
            book = await load_key_book(transaction, control)
    return MergeOutcome(lines, unknown)


async def follow_moves(transaction: Transaction, control: Control) -> None:
    """Let what platforms say of themselves have come from the side on which they are now: that is the way to them.

    What tells of a move was kept as coming from where its author was till then.
    """
    book, around = await load_key_book(transaction, control), await load_neighbourhood(transaction)
    for place in await transaction.registers.list_places(PlatformScope(), 0):
        key = place.line.key
        if key.kind != LetterKind.PLATFORM or place.source is None or book.find(key.author) is None:
            continue
        way = find_author_link(around, book, key.author)
        if way is not None and way.id != place.source:
            await transaction.registers.redirect(key, way.id)


async def _merge(
    transaction: Transaction, control: Control, arrival: Arrival, found: tuple[Letter, LinkId | None]
) -> RegisterLine:
    """Keep one as what comes from its author's side, by whom it ever came: who gives one back is not the way to its author."""
    letter, way = found
    key = RegisterKey(letter.author, letter.kind, letter.name)
    is_own = letter.author == control.platform_id
    if await transaction.registers.put(letter, None if is_own else way or arrival.link_id):
        await _apply(transaction, control, arrival, letter)
        return RegisterLine(key, mark_register(letter))
    kept = await transaction.registers.find(PlatformScope(), key)
    assert kept is not None
    return RegisterLine(key, mark_register(kept))


async def _apply(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Let who knows the kind act on it. What it refuses is kept all the same: it is its author's word."""
    is_own = letter.author == control.platform_id
    handler = (REGAIN_HANDLERS if is_own else REGISTER_HANDLERS).get(letter.kind)
    if handler is None or not (is_own or letter.audience in (None, control.platform_id)):
        return
    try:
        check_body(letter.body)
        await handler(transaction, control, arrival, letter)
    except (InvalidInput, Refused) as refusal:
        await refuse_letter(transaction, arrival, letter, refusal)
