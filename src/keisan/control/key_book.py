"""The key book as it is on disk now: whose letters this platform believes."""

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.link import LinkState
from keisan.federation.key_book import KeyBook, KnownPlatform, build_key_book
from keisan.storage.base import Transaction

BOOK_KINDS = (LetterKind.NAME, LetterKind.PLATFORM, LetterKind.REVOCATION)


async def load_key_book(transaction: Transaction, control: Control) -> KeyBook:
    """Return the book of this platform: made of its links, and of the registers that say who is who."""
    own = await transaction.platform.get()
    letters: list[Letter] = []
    for kind in BOOK_KINDS:
        letters += await transaction.registers.list_kind(PlatformScope(), kind)
    known = KnownPlatform(own.id, control.get_identity().keys, None, own.region or "", "", 0)
    links = await transaction.links.list_states(PlatformScope(), LinkState)
    return build_key_book(known, links, letters, control.verify)
