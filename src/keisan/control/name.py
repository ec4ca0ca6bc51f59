"""What this platform tells all others of who is who: itself, its children with what it issued them, and whom it revoked.

Written in the transaction of what changed, and anew now and then, so that others see how fresh they know it.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from keisan.control.context import Control
from keisan.control.key_book import load_key_book
from keisan.control.letter import build_draft, put_register
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.letter import LetterKind
from keisan.domain.limits import REVOCATION_PROOF_S
from keisan.domain.link import OPEN_STATES, Link, LinkSide, LinkState
from keisan.domain.name import parse_name
from keisan.domain.platform import Platform
from keisan.domain.register import RegisterKey
from keisan.federation.resolve import Resolution, resolve_name
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
    read_revocation_body,
)

EVERYTHING = PlatformScope()
PROOF = timedelta(seconds=REVOCATION_PROOF_S)
# The one row of work by which names are told anew.
NAMES_ID = UUID("018f0000-0000-7000-8000-000000000062")


@dataclass(frozen=True, slots=True)
class Told:
    """One register as it should be."""

    kind: LetterKind
    name: str
    body: bytes


async def tell_names(transaction: Transaction, control: Control) -> int:
    """Write what differs from what was told last, and return how many registers that were.

    A child that has left is forwarded: its old prefix leads to its id, by which it is found.
    """
    platform = await transaction.platform.get()
    links = list(await transaction.links.list_states(EVERYTHING, LinkState))
    told = [_tell_platform(control, platform, links), *_tell_children(links), _tell_forwarding(control, links)]
    changed = [await _put(transaction, control, each) for each in told if each is not None]
    return sum(changed) + await _tell_revocations(transaction, control, links)


async def find_name(control: Control, principal: Principal, text: str) -> Resolution:
    """Return what a name stands for, from records that are kept here; nobody is asked.

    Raises PermissionDenied, InvalidInput for what is no name, NotFound where no record tells.
    """
    principal.require(Right.READ)
    name = parse_name(text)
    async with control.storage.read() as view:
        book = await load_key_book(view, control)
        letters = await view.registers.list_kind(EVERYTHING, LetterKind.NAME)
    return resolve_name(name, book, letters)


def _tell_platform(control: Control, platform: Platform, links: list[Link]) -> Told:
    parent = _find_parent(links)
    body = PlatformBody(
        title=platform.name,
        kind=platform.kind,
        keys=encode_key_chain(control.get_identity().keys),
        parent_id=parent.neighbour_id if parent else None,
        parent_keys=encode_key_chain(parent.keys) if parent else None,
        epoch=parent.epoch if parent else 0,
        region=(parent.region if parent else platform.region) or "",
        prefix=parent.prefix if parent else "",
        gateway_address=control.gateway_address,
    )
    return Told(LetterKind.PLATFORM, PLATFORM_REGISTER, encode_body(body))


def _tell_children(links: list[Link]) -> list[Told]:
    """Return what is said of each child's prefix: by the newest link that was given it."""
    newest: dict[str, Link] = {}
    for link in links:
        if link.side is LinkSide.CHILD and link.prefix and link.state is not LinkState.REVOKED:
            newest[link.prefix] = link
    return [Told(LetterKind.NAME, prefix, encode_body(_describe_child(link))) for prefix, link in newest.items()]


def _describe_child(link: Link) -> NameBody:
    return NameBody(
        platform_id=link.neighbour_id,
        title=link.name,
        kind=link.kind,
        region=link.region or "",
        epoch=link.epoch,
        keys=encode_key_chain(link.keys),
        forward_to="" if link.is_open else link.neighbour_id,
    )


def _tell_forwarding(control: Control, links: list[Link]) -> Told | None:
    """Return where this platform's former prefix leads: said by itself too, if its old parent cannot be reached any more."""
    parent = _find_parent(links)
    left = [link for link in links if link.side is LinkSide.PARENT and link.state is LinkState.LEFT and link.prefix]
    if parent is None or not left or left[-1].prefix == parent.prefix:
        return None
    body = NameBody(platform_id=control.platform_id, epoch=parent.epoch, forward_to=parent.prefix)
    return Told(LetterKind.NAME, left[-1].prefix, encode_body(body))


def _find_parent(links: list[Link]) -> Link | None:
    """Return the link to the parent; while it moves, to the one that it moves to."""
    parents = [link for link in links if link.side is LinkSide.PARENT and link.state in OPEN_STATES]
    return max(parents, key=lambda link: link.epoch, default=None)


async def _tell_revocations(transaction: Transaction, control: Control, links: list[Link]) -> int:
    now_ms = to_milliseconds(control.clock.now())
    open_ids = {link.neighbour_id for link in links if link.is_open}
    revoked = tuple(
        RevokedBody(platform_id=link.neighbour_id, revoked_at_ms=to_milliseconds(link.ended_at))
        for link in links
        if link.state is LinkState.REVOKED and link.side is LinkSide.CHILD and link.ended_at is not None
        # One that was taken in again speaks again.
        if link.neighbour_id not in open_ids
    )
    key = RegisterKey(control.platform_id, LetterKind.REVOCATION, REVOCATION_REGISTER)
    kept = await transaction.registers.find(EVERYTHING, key)
    if kept is not None:
        told = read_revocation_body(kept)
        if told.revoked == revoked and now_ms - told.proved_at_ms < REVOCATION_PROOF_S * 1000:
            return 0
    body = RevocationBody(proved_at_ms=now_ms, revoked=revoked)
    return await _put(transaction, control, Told(LetterKind.REVOCATION, REVOCATION_REGISTER, encode_body(body)))


async def _put(transaction: Transaction, control: Control, told: Told) -> int:
    """Write a register of this platform's own if it says something else than before; return 1 if it was written."""
    key = RegisterKey(control.platform_id, told.kind, told.name)
    kept = await transaction.registers.find(EVERYTHING, key)
    draft = replace(build_draft(control, told.kind, told.body), name=told.name)
    letter = await put_register(transaction, control, draft)
    return int(kept is None or letter.version != kept.version)
