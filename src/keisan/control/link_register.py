"""What a platform says of itself and of its children, as registers: kept in step with its links, whatever changed them."""

from dataclasses import replace

from keisan.control.context import Control
from keisan.control.letter import draft_letter, put_register
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
    revoked = [link for link in ended if link.side is LinkSide.CHILD and link.state is LinkState.REVOKED]
    if revoked:
        await _put(transaction, control, LetterKind.REVOCATION, REVOCATION_REGISTER, _describe_revoked(revoked))


async def _put(
    transaction: Transaction,
    control: Control,
    kind: LetterKind,
    name: str,
    body: PlatformBody | NameBody | RevocationBody,
) -> None:
    draft = draft_letter(control, kind, encode_body(body))
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


def _describe_revoked(links: list[Link]) -> RevocationBody:
    """Return the list as of the newest revocation: it says the same until there is another."""
    lines = [
        RevokedBody(platform_id=link.neighbour_id, revoked_at_ms=to_milliseconds(link.ended_at))
        for link in sorted(links, key=lambda link: link.id)
        if link.ended_at is not None
    ]
    return RevocationBody(proved_at_ms=max(line.revoked_at_ms for line in lines), revoked=tuple(lines))
