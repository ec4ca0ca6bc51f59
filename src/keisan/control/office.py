"""What it takes to deliver letters: whom this platform believes, and where its links lead, read once for as many as come together."""

from dataclasses import dataclass

from keisan.control.context import Control
from keisan.control.key_book import load_key_book
from keisan.control.link_place import Neighbourhood, load_neighbourhood
from keisan.domain.ids import LinkId
from keisan.federation.key_book import KeyBook
from keisan.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class Office:
    """Whom this platform believes, and where its links lead, as of one transaction. `told` is the link back, if one may be taken.

    Letters of a log change neither, so all that one transaction applies are read by the same book.
    """

    control: Control
    book: KeyBook
    around: Neighbourhood
    told: LinkId | None = None


async def open_office(transaction: Transaction, control: Control) -> Office:
    """Return what it takes to deliver letters."""
    return Office(control, await load_key_book(transaction, control), await load_neighbourhood(transaction))
