"""Commands of a child's people: join a parent by its invitation, leave it, move to another. The work is the link's reconciler's."""

from dataclasses import replace

from keisan.control.context import Control, name_actor
from keisan.control.fence import load_epoch
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.departure import StepName, find_next_step, plan_departure
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import LinkId
from keisan.domain.key import Secret
from keisan.domain.key_chain import KeyChain
from keisan.domain.lease import WorkNoun
from keisan.domain.link import LIVE_STATES, Link, LinkSide, LinkState, check_link_transition
from keisan.domain.platform import PlatformKind
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.invitation import InvitationToken, decode_token, digest_token
from keisan.wire.link_view import LinkJoin

EVERYTHING = PlatformScope()


async def join_parent(control: Control, principal: Principal, body: LinkJoin) -> Link:
    """Ask the platform that made an invitation to become its child; the same invitation again changes nothing.

    Raises PermissionDenied, InvalidInput for what is no invitation, StateConflict for a platform that has a parent, or asks one.
    """
    principal.require(Right.WRITE_LINKS)
    token = decode_token(Secret(body.token))
    async with control.storage.write() as transaction:
        return await _ask_parent(transaction, control, principal, token)


async def leave_parent(control: Control, principal: Principal, link_id: LinkId) -> Link:
    """Leave the parent, step by step, as the link's departure shows; a repeat changes nothing.

    Raises PermissionDenied, NotFound, or StateConflict for a link that is not to a parent, or has ended.
    """
    principal.require(Right.WRITE_LINKS)
    async with control.storage.write() as transaction:
        link = await _get_parent(transaction, principal, link_id)
        if link.state is LinkState.LEAVING:
            return link
        return await _begin_departure(transaction, control, principal, link, None)


async def move_parent(control: Control, principal: Principal, link_id: LinkId, body: LinkJoin) -> Link:
    """Leave the parent for the one that made an invitation; returns the link that is left, with the steps.

    If the other parent rejects, another invitation takes its place. Raises as join_parent and leave_parent do.
    """
    principal.require(Right.WRITE_LINKS)
    token = decode_token(Secret(body.token))
    async with control.storage.write() as transaction:
        link = await _get_parent(transaction, principal, link_id)
        if token.platform_id == link.neighbour_id:
            raise StateConflict("this platform is that one's child already")
        other = await _ask_parent(transaction, control, principal, token, leaving=link)
        if link.successor_id == other.id:
            return link
        if link.state is LinkState.JOINED:
            return await _begin_departure(transaction, control, principal, link, other.id)
        return await _choose_other(transaction, control, link, other.id)


async def _ask_parent(
    transaction: Transaction,
    control: Control,
    principal: Principal,
    token: InvitationToken,
    leaving: Link | None = None,
) -> Link:
    if token.platform_id == control.platform_id:
        raise InvalidInput("this invitation is this platform's own: hand it to the other one", "token")
    links = await transaction.links.list_states(EVERYTHING, LinkState)
    asked = next((link for link in links if link.invitation_id == token.invitation_id), None)
    if asked is not None:
        return asked
    live = [link for link in links if link.state in LIVE_STATES]
    if any(link.neighbour_id == token.platform_id for link in live):
        raise StateConflict("there is a link to this platform already")
    parents = [link for link in live if link.side is LinkSide.PARENT and (leaving is None or link.id != leaving.id)]
    if parents:
        raise StateConflict(f"this platform has a parent, or asks one: {parents[0].name}; leave it, or move")
    lived = [each.epoch for each in links if each.side is LinkSide.PARENT]
    link = _build_link(control, token, 1 + max([await load_epoch(transaction, control.platform_id), *lived]))
    await transaction.links.insert(link)
    await transaction.outbox.put(WorkNoun.LINK, link.id, control.clock.now())
    detail = {"neighbour_id": link.neighbour_id, "url": link.url}
    await transaction.events.append(EventDraft(name_actor(principal), "link.requested", link.id, detail))
    return link


def _build_link(control: Control, token: InvitationToken, epoch: int) -> Link:
    """Return a link to a parent of which only the id is known: its keys are told by its first answer, and hash to it."""
    return Link(
        id=LinkId(create_id()),
        platform_id=control.platform_id,
        neighbour_id=token.platform_id,
        side=LinkSide.PARENT,
        state=LinkState.REQUESTED,
        name=token.url,
        kind=PlatformKind.NATIONAL,
        region=None,
        prefix="",
        epoch=epoch,
        keys=KeyChain(b""),
        url=token.url,
        invitation_id=token.invitation_id,
        certificate="",
        certificate_ends_at=None,
        ca="",
        offset_ms=None,
        heard_at=None,
        reviewer="",
        reviewed_at=None,
        ended_at=None,
        version=1,
        created_at=control.clock.now(),
        digest=digest_token(token),
    )


async def _get_parent(transaction: Transaction, principal: Principal, link_id: LinkId) -> Link:
    link = await transaction.links.get(principal.scope, link_id)
    if link.side is not LinkSide.PARENT:
        raise StateConflict("a platform leaves its parent; a child is revoked")
    return link


async def _begin_departure(
    transaction: Transaction, control: Control, principal: Principal, link: Link, successor_id: LinkId | None
) -> Link:
    check_link_transition(link, LinkState.LEAVING)
    leaving = replace(
        link,
        state=LinkState.LEAVING,
        departure=plan_departure(is_move=successor_id is not None),
        successor_id=successor_id,
        ended_at=control.clock.now(),
        version=link.version + 1,
    )
    await transaction.links.update(leaving)
    await transaction.outbox.put(WorkNoun.LINK, link.id, control.clock.now())
    detail = {"neighbour_id": link.neighbour_id, "successor_id": str(successor_id or "")}
    await transaction.events.append(EventDraft(name_actor(principal), "link.leaving", link.id, detail))
    return leaving


async def _choose_other(transaction: Transaction, control: Control, link: Link, successor_id: LinkId) -> Link:
    """Let a move lead to another parent than the one that rejected it."""
    step = find_next_step(link.departure)
    names = [each.name for each in link.departure]
    if step is None or StepName.JOIN_OTHER not in names or names.index(step.name) > names.index(StepName.JOIN_OTHER):
        raise StateConflict("this departure leads elsewhere already")
    changed = replace(link, successor_id=successor_id, version=link.version + 1)
    await transaction.links.update(changed)
    await transaction.outbox.put(WorkNoun.LINK, link.id, control.clock.now())
    return changed
