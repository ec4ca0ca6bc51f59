"""What settlement signs and believes: texts under the platform's own key, and those of others under keys that the tree vouches for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keisan.control.context import Control
from keisan.control.letter import build_draft, send_letters
from keisan.control.link_place import find_way, load_neighbourhood
from keisan.control.office import Office
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.settlement import SettlementKey, SignedText
from keisan.federation.key_book import KeyBook
from keisan.federation.rule_settlement import Standing
from keisan.storage.base import Transaction
from keisan.wire.letter import LetterDraft


@dataclass(frozen=True, slots=True)
class Correspondence:
    """A letter of settlement being applied: who wrote it, and what the tree says of its author."""

    letter: Letter
    own_id: PlatformId
    book: KeyBook

    @property
    def other(self) -> PlatformId:
        """Return who wrote the letter."""
        return self.letter.author

    @property
    def standing(self) -> Standing:
        """Return its author's region, as its parent issued it and never as it says itself, and since when it is revoked."""
        known = self.book.find(self.letter.author)
        region = known.region if known is not None and known.region else None
        return Standing(region, self.book.find_revocation(self.letter))

    def check_signed(self, signed: SignedText, signer: PlatformId) -> None:
        """Raise InvalidInput unless a platform signed these bytes with a key of its own."""
        known = self.book.find(signer)
        if known is None or signed.public_key not in known.keys.keys:
            raise InvalidInput("this was signed by a key that its platform never vouched for", "public_key")
        if not self.book.verify(signed.public_key, signed.content, signed.signature):
            raise InvalidInput("this signature does not hold", "signature")

    def check_pair(self, key: SettlementKey) -> None:
        """Raise InvalidInput unless a settlement is between the letter's author and this platform."""
        if {key.author, key.audience} != {self.other, self.own_id} or key.author == key.audience:
            raise InvalidInput("this settlement is between other platforms", "audience")


def open_letter(office: Office, letter: Letter) -> Correspondence:
    """Return a letter with what is known of its author now."""
    return Correspondence(letter, office.control.platform_id, office.book)


def sign_text(control: Control, content: bytes) -> SignedText:
    """Return bytes signed with the platform's first key, of which its id is the hash: so a receipt needs nobody's word for it."""
    signer = control.journal.signer
    return SignedText(content, signer.sign(content), signer.public_key)


def draft_settlement_letter(
    control: Control, kind: LetterKind, body: bytes, audience: PlatformId, period: str = ""
) -> LetterDraft:
    """Return a letter of settlement; one with a period is kept until both have signed for that."""
    return replace(build_draft(control, kind, body, audience), period=period)


async def send_settlement(transaction: Transaction, control: Control, drafts: Sequence[LetterDraft]) -> None:
    """Send letters of settlement towards their audiences, in the transaction that made them. Raises NotFound as send_letters does."""
    await send_letters(transaction, control, drafts)


async def answer_settlement(transaction: Transaction, control: Control, drafts: Sequence[LetterDraft]) -> None:
    """Send what answers a letter; where no link leads back any more it is left, and a later comparison asks for it again."""
    reached = [
        draft for draft in drafts if draft.audience is not None and await is_reached(transaction, draft.audience)
    ]
    if reached:
        await send_settlement(transaction, control, reached)


async def is_reached(transaction: Transaction, platform_id: PlatformId) -> bool:
    """Tell whether a link leads towards a platform."""
    return await find_way(transaction, await load_neighbourhood(transaction), platform_id) is not None
