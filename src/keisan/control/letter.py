"""Letters of the platform's own: signed here, and put among the registers."""

from dataclasses import replace

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvariantBroken
from keisan.domain.ids import LetterId, PlatformId
from keisan.domain.letter import Letter
from keisan.domain.register import RegisterKey
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.letter import LetterDraft, sign_letter


def draft_letter(control: Control, kind: str, body: bytes, audience: PlatformId | None = None) -> LetterDraft:
    """Return a letter to be signed, made now."""
    made_at_ms = to_milliseconds(control.clock.now())
    return LetterDraft(id=LetterId(create_id()), kind=kind, made_at_ms=made_at_ms, audience=audience, body=body)


async def put_register(transaction: Transaction, control: Control, draft: LetterDraft) -> Letter:
    """Sign the newest word on a name, one version above what is kept of it, and keep it.

    `draft.version` is passed over; what says the same as before is kept as it is, and returned. Raises InvariantBroken where daemon gave no key.
    """
    if control.signer is None:
        raise InvariantBroken("this process has no key to sign letters with")
    key = RegisterKey(control.platform_id, draft.kind, draft.name)
    kept = await transaction.registers.find(PlatformScope(), key)
    said = (draft.body, draft.audience, draft.is_deleted)
    if kept is not None and (kept.body, kept.audience, kept.is_deleted) == said:
        return kept
    version = 1 if kept is None else kept.version + 1
    letter = sign_letter(replace(draft, version=version), control.platform_id, control.signer)
    await transaction.registers.put(letter, None)
    return letter
