"""Letters of the platform's own: signed here, and put into the log of the link towards their audience, or among the registers."""

from collections.abc import Sequence
from dataclasses import replace

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import LetterId, PlatformId
from keisan.domain.letter import Letter
from keisan.domain.link_log import LinkLog
from keisan.domain.register import RegisterKey
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.kit.signature import Signer
from keisan.storage.base import Transaction
from keisan.wire.letter import LetterDraft, sign_letter


def draft_letter(control: Control, kind: str, body: bytes, audience: PlatformId | None = None) -> LetterDraft:
    """Return a letter to be signed, made now."""
    made_at_ms = to_milliseconds(control.clock.now())
    return LetterDraft(id=LetterId(create_id()), kind=kind, made_at_ms=made_at_ms, audience=audience, body=body)


async def send_letters(
    transaction: Transaction, control: Control, drafts: Sequence[LetterDraft], log: LinkLog = LinkLog.LEDGER
) -> Sequence[Letter]:
    """Sign letters and append them to the log of the link towards each one's audience, in the transaction that made them.

    The way to a platform is that by which its own registers come. Raises NotFound where none does.
    """
    sent: list[Letter] = []
    for draft in drafts:
        source = None
        if draft.audience is not None:
            source = await transaction.registers.find_source(PlatformScope(), draft.audience)
        if source is None or source.link_id is None:
            raise NotFound("there is no link towards this platform", f"audience={draft.audience}")
        letter = sign_letter(draft, control.platform_id, _get_signer(control))
        await transaction.outgoing_logs.append(source.link_id, log, [letter])
        sent.append(letter)
    return sent


async def put_register(transaction: Transaction, control: Control, draft: LetterDraft) -> Letter:
    """Sign the newest word on a name, one version above what is kept of it, and keep it.

    `draft.version` is passed over; what says the same as before is kept as it is, and returned.
    """
    key = RegisterKey(control.platform_id, draft.kind, draft.name)
    kept = await transaction.registers.find(PlatformScope(), key)
    said = (draft.body, draft.audience, draft.is_deleted)
    if kept is not None and (kept.body, kept.audience, kept.is_deleted) == said:
        return kept
    version = 1 if kept is None else kept.version + 1
    letter = sign_letter(replace(draft, version=version), control.platform_id, _get_signer(control))
    await transaction.registers.put(letter, None)
    return letter


def _get_signer(control: Control) -> Signer:
    if control.signer is None:
        raise InvariantBroken("this process has no key to sign letters with")
    return control.signer
