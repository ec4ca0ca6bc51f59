"""Letters of the platform's own: signed here, and put into the log of the link towards their audience, or among the registers."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from keisan.control.context import Control
from keisan.control.link_place import find_way, load_neighbourhood
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.ids import LetterId, PlatformId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog
from keisan.domain.register import RegisterKey
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.letter import LetterDraft, sign_letter


def build_draft(control: Control, kind: str, body: bytes, audience: PlatformId | None = None) -> LetterDraft:
    """Return a letter to be signed, made now."""
    made_at_ms = to_milliseconds(control.clock.now())
    return LetterDraft(id=LetterId(create_id()), kind=kind, made_at_ms=made_at_ms, audience=audience, body=body)


async def send_letters(
    transaction: Transaction, control: Control, drafts: Sequence[LetterDraft], log: LinkLog = LinkLog.LEDGER
) -> Sequence[Letter]:
    """Sign letters and append them to the log of the link towards each one's audience, in the transaction that made them.

    Without an audience they go to the parent. Raises NotFound where no link leads there.
    """
    around = await load_neighbourhood(transaction)
    sent: list[Letter] = []
    for audience, group in groupby(drafts, key=lambda draft: draft.audience):
        link = around.parent if audience is None else await find_way(transaction, around, audience)
        if link is None:
            raise NotFound("there is no link towards this platform", f"audience={audience}")
        letters = [sign_letter(draft, control.platform_id, control.get_identity().signer) for draft in group]
        await transaction.outgoing_logs.append(link.id, log, letters)
        sent += letters
    transaction.call_after_commit(control.link_bell.ring)
    return sent


async def put_register(transaction: Transaction, control: Control, draft: LetterDraft) -> Letter:
    """Sign the newest word on a name, one version above what is kept of it, and keep it.

    `draft.version` is passed over; what says the same as before is kept as it is, and returned.
    """
    key = RegisterKey(control.platform_id, draft.kind, draft.name)
    kept = await transaction.registers.find(PlatformScope(), key)
    if kept is not None and (kept.body, kept.audience, kept.is_deleted) == (
        draft.body,
        draft.audience,
        draft.is_deleted,
    ):
        return kept
    version = 1 if kept is None else kept.version + 1
    letter = sign_letter(replace(draft, version=version), control.platform_id, control.get_identity().signer)
    await transaction.registers.put(letter, None)
    transaction.call_after_commit(control.link_bell.ring)
    return letter
