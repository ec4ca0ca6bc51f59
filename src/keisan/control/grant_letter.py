"""Letters of grants: registers that a child and its parent write for one another."""

from dataclasses import replace

from keisan.control.context import Control
from keisan.control.letter import build_draft, put_register
from keisan.control.link_place import load_neighbourhood
from keisan.domain.access import PlatformScope
from keisan.domain.grant import Grant, GrantAnswer, GrantWant
from keisan.domain.ids import GrantWantId, PlatformId
from keisan.domain.letter import LetterKind
from keisan.storage.base import Transaction
from keisan.wire.grant import encode_answer, encode_want


async def read_offset(transaction: Transaction, neighbour_id: PlatformId) -> int | None:
    """Return the neighbour's clock less this platform's in milliseconds, None before a link has measured it."""
    link = (await load_neighbourhood(transaction)).find_neighbour(neighbour_id)
    return None if link is None else link.offset_ms


async def tell_want(transaction: Transaction, control: Control, want: GrantWant) -> None:
    """Tell a want to its child, with the highest number that was heard of in its epoch."""
    others = await transaction.grant_wants.list_child(PlatformScope(), want.child_id)
    answers = [each.answer for each in others if each.answer is not None and each.answer.epoch == want.epoch]
    heard_number = max((answer.number for answer in answers), default=0)
    body = encode_want(want, heard_number)
    draft = build_draft(control, LetterKind.GRANT_WANT, body, want.child_id)
    await put_register(transaction, control, replace(draft, name=str(want.id)))


async def tell_grant(transaction: Transaction, control: Control, grant: Grant) -> None:
    """Tell a grant as it is now to its parent."""
    answer = GrantAnswer(grant.epoch, grant.number, 0, grant.state, grant.renewal, grant.reason)
    await tell_answer(transaction, control, (grant.parent_id, grant.want_id), answer)


async def tell_answer(
    transaction: Transaction, control: Control, asked: tuple[PlatformId, GrantWantId], answer: GrantAnswer
) -> None:
    """Tell a parent what its want has come to."""
    parent_id, want_id = asked
    draft = build_draft(control, LetterKind.GRANT, encode_answer(want_id, answer), parent_id)
    await put_register(transaction, control, replace(draft, name=str(want_id)))
