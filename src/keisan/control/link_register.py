"""What a platform says of itself and of its children, as registers: kept in step with its links, whatever changed them."""

from collections.abc import Sequence
from dataclasses import replace

from keisan.control.context import Control
from keisan.control.letter import build_draft, put_register
from keisan.control.link_place import Neighbourhood, load_neighbourhood
from keisan.domain.access import PlatformScope
from keisan.domain.letter import LetterKind
from keisan.domain.link import ENDED_STATES, Link, LinkSide, LinkState
from keisan.kit.clock import to_milliseconds
from keisan.storage.base import Transaction
from keisan.wire.name import (
    PLATFORM_REGISTER,
    REVOCATION_REGISTER,
    NameBody,
    PlatformBody,
    RevocationBody,
    RevokedBody,
    encode_body,
    encode_key_chain,
)


async def publish_links(transaction: Transaction, control: Control) -> None:
    """Write what this platform says of itself, of each child, and of whom it has revoked; what is as before is left as it is."""
    around = await load_neighbourhood(transaction)
    await _put(
        transaction, control, LetterKind.PLATFORM, PLATFORM_REGISTER, await _describe_own(transaction, control, around)
    )
    for link in around.links:
        if link.side is LinkSide.CHILD and link.state is LinkState.JOINED:
            await _put(transaction, control, LetterKind.NAME, link.prefix, _describe_child(link))
    ended = await transaction.links.list_states(PlatformScope(), ENDED_STATES)
    revoked = _list_revoked(ended)
    if revoked:
        # As of the newest: it says the same until there is another.
        body = RevocationBody(proved_at_ms=max(line.revoked_at_ms for line in revoked), revoked=revoked)
        await _put(transaction, control, LetterKind.REVOCATION, REVOCATION_REGISTER, body)


async def _put(
    transaction: Transaction,
    control: Control,
    kind: LetterKind,
    name: str,
    body: PlatformBody | NameBody | RevocationBody,
) -> None:
    draft = build_draft(control, kind, encode_body(body))
    await put_register(transaction, control, replace(draft, name=name))


async def _describe_own(transaction: Transaction, control: Control, around: Neighbourhood) -> PlatformBody:
    own, parent = await transaction.platform.get(), around.parent
    return PlatformBody(
        title=own.name,
        kind=own.kind,
        keys=encode_key_chain(control.get_identity().keys),
        parent_id=parent.neighbour_id if parent else None,
        parent_keys=encode_key_chain(parent.keys) if parent else None,
        epoch=parent.epoch if parent else 0,
        region=(parent.region if parent else own.region) or "",
        prefix=parent.prefix if parent else "",
    )


def _describe_child(link: Link) -> NameBody:
    return NameBody(
        platform_id=link.neighbour_id,
        title=link.name,
        kind=link.kind,
        region=link.region or "",
        epoch=link.epoch,
        keys=encode_key_chain(link.keys),
    )


def _list_revoked(ended: Sequence[Link]) -> tuple[RevokedBody, ...]:
    children = (link for link in ended if link.side is LinkSide.CHILD and link.state is LinkState.REVOKED)
    return tuple(
        RevokedBody(platform_id=link.neighbour_id, revoked_at_ms=to_milliseconds(link.ended_at))
        for link in sorted(children, key=lambda link: link.id)
        if link.ended_at is not None
    )
