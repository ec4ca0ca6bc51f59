"""Letters that a neighbour returns, since this platform's disk is older than what it once sent."""

from collections.abc import Sequence

from keisan.control.context import Control
from keisan.control.key_book import load_key_book
from keisan.control.letter_handler import REGAIN_HANDLERS, refuse_letter
from keisan.domain.errors import InvalidInput, PermissionDenied, Refused
from keisan.domain.letter import Arrival, Letter
from keisan.domain.link_log import LinkLog
from keisan.federation.key_book import check_letter
from keisan.storage.base import Transaction


async def take_back(
    transaction: Transaction, control: Control, arrival: Arrival, log: LinkLog, letters: Sequence[Letter]
) -> None:
    """Take back this platform's own letters: into the log again, and to whoever keeps what they say.

    Those of others were only passed on; their authors send them anew, since this platform's cursor is older too.
    """
    book = await load_key_book(transaction, control)
    for letter in letters:
        if letter.author != control.platform_id:
            continue
        try:
            check_letter(letter, book)
            handler = REGAIN_HANDLERS.get(letter.kind)
            if handler is not None:
                await handler(transaction, control, arrival, letter)
        except (InvalidInput, PermissionDenied, Refused) as refusal:
            await refuse_letter(transaction, arrival, letter, refusal)
            continue
        await transaction.outgoing_logs.append(arrival.link_id, log, [letter])
