"""What letters do where they arrive: handlers that count, in the place of those that keep books. Effects are in the disk's notes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from keisan.control import (
    departure,
    key_book,
    letter,
    letter_handler,
    link_ask,
    link_return,
    link_session,
    office,
    register,
)
from keisan.control.reconcilers import link as link_reconciler
from keisan.domain.ids import PlatformId
from keisan.domain.letter import REGISTER_REACH, Arrival, Letter, LetterKind
from keisan.federation import certificate
from keisan.kit.ids import create_id
from keisan.kit.signature import Signer
from keisan.wire.letter import LetterDraft, sign_letter
from tests.simulation.federation import granting, market
from tests.simulation.federation.counter import State
from tests.simulation.federation.newer import NewerSigner, sign_wider
from tests.simulation.federation.signer import is_signed_by_test

if TYPE_CHECKING:
    from keisan.control.context import Control
    from keisan.control.office import Office
    from keisan.federation.key_book import KeyBook
    from keisan.storage.base import Transaction
    from tests.simulation.federation.disk import MemoryTransaction


async def count_letter(transaction: Transaction, desk: Office, arrival: Arrival, item: Letter) -> None:
    """Apply a letter that is for this platform: once, also when it comes anew after both sides have dropped it."""
    handler = HANDLERS.get(item.kind)
    if handler is not None:
        await handler(transaction, desk, arrival, item)
    cast("MemoryTransaction", transaction).notes["applied", item.id] = 1


async def regain_register(transaction: Transaction, control: Control, arrival: Arrival, item: Letter) -> None:
    """Take that a register of this platform's own came back, which it had lost."""
    cast("MemoryTransaction", transaction).world.tally.states[State.OWN_REGISTER_LOST] += 1
    if item.kind == LetterKind.CREDIT:
        await market.apply_credit(transaction, control, arrival, item)


def _sign(draft: LetterDraft, author: PlatformId, signer: Signer) -> Letter:
    signed = SIGN(draft, author, signer)
    return sign_wider(signed, signer) if isinstance(signer, NewerSigner) else signed


HANDLERS: dict[str, letter_handler.LetterHandler] = {
    LetterKind.USAGE: market.apply_usage,
    LetterKind.TOTALS: market.apply_total,
}
REGISTER_HANDLERS = {
    LetterKind.CREDIT: market.apply_credit,
    LetterKind.GRANT_WANT: granting.apply_want,
    LetterKind.GRANT: granting.apply_grant,
}
# What a schedule can wait for: how long a departure waits for a parent, and a link until it asks again.
DEPARTURE_WAIT, RETRY = timedelta(seconds=3), timedelta(seconds=1)
COUNTED = (LetterKind.EVENT, LetterKind.USAGE, LetterKind.TOTALS)
SIGN = sign_letter
LOAD = key_book.load_key_book


class Books:
    """Key books that were made already, by what they are made of: making one is most of the time of a small transaction."""

    def __init__(self) -> None:
        self._made: dict[tuple[PlatformId, int], KeyBook] = {}

    async def load(self, transaction: Transaction, control: Control) -> KeyBook:
        """Return the book, as control.key_book.load_key_book makes it."""
        mark = cast("MemoryTransaction", transaction).tables.book_mark
        made = self._made.get((control.platform_id, mark))
        if made is None:
            made = self._made[control.platform_id, mark] = await LOAD(transaction, control)
        return made


@contextmanager
def apply_letters() -> Iterator[Books]:
    """Let letters be applied by the simulation, and be signed as their author's release does it."""
    books = Books()
    replaced = (
        (letter_handler, "HANDLERS", dict.fromkeys(COUNTED, count_letter)),
        (link_return, "REGAIN_HANDLERS", {LetterKind.USAGE: market.regain_usage}),
        (register, "REGISTER_HANDLERS", REGISTER_HANDLERS),
        (register, "REGAIN_HANDLERS", dict.fromkeys(REGISTER_REACH, regain_register)),
        (letter, "sign_letter", _sign),
        (link_session, "uuid4", create_id),
        (departure, "DEPARTURE_WAIT", DEPARTURE_WAIT),
        (link_reconciler, "RETRY", RETRY),
        *((module, "is_signed_by", is_signed_by_test) for module in (certificate, link_ask, link_reconciler)),
        *((module, "load_key_book", books.load) for module in (office, link_return, register)),
    )
    before = [(module, name, vars(module)[name]) for module, name, _ in replaced]
    for module, name, value in replaced:
        vars(module)[name] = value
    try:
        yield books
    finally:
        for module, name, value in before:
            vars(module)[name] = value
