"""Commands of a parent's people on links to children: approve with region and prefix, reject, revoke."""

from dataclasses import replace

from keisan.control.context import Control, name_actor
from keisan.control.link_ask import renew_link
from keisan.control.name import tell_names
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.errors import AlreadyExists, InvalidInput, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import LinkId
from keisan.domain.link import OPEN_STATES, Link, LinkSide, LinkState, check_link_transition
from keisan.domain.name import issue_prefix
from keisan.domain.platform import PlatformKind
from keisan.storage.base import Transaction
from keisan.wire.link_view import LinkApproval, LinkEnd

EVERYTHING = PlatformScope()


async def approve_link(control: Control, principal: Principal, link_id: LinkId, body: LinkApproval) -> Link:
    """Take a platform in as a child, with a region and a prefix of its own; whoever approves is named for good.

    What is left out is taken from the invitation. A repeat with the same names changes nothing. Raises PermissionDenied, NotFound,
    StateConflict for a link that does not wait, AlreadyExists for a region or prefix that another child has, InvalidInput.
    """
    principal.require(Right.WRITE_LINKS)
    async with control.storage.write() as transaction:
        link = await _get_child(transaction, principal, link_id)
        region, label = await _choose_names(transaction, link, body)
        prefix = issue_prefix(await _find_own_prefix(transaction), label)
        if link.state is LinkState.JOINED and (link.region, link.prefix) == (region, prefix):
            return link
        check_link_transition(link, LinkState.JOINED)
        named = replace(link, state=LinkState.JOINED, region=region, prefix=prefix)
        reviewed = replace(
            named, reviewer=name_actor(principal), reviewed_at=control.clock.now(), version=link.version + 1
        )
        joined = renew_link(control, reviewed, link.keys, link.link_key)
        await transaction.links.update(joined)
        detail = {"neighbour_id": link.neighbour_id, "region": region or "", "prefix": prefix, "epoch": str(link.epoch)}
        await transaction.events.append(EventDraft(name_actor(principal), "link.joined", link.id, detail))
        await tell_names(transaction, control)
        # After the event: its append locks the head until commit, so of two approvals at once the second sees the first.
        await _check_alone(transaction, joined)
    return joined


async def reject_link(control: Control, principal: Principal, link_id: LinkId, body: LinkEnd) -> Link:
    """Refuse a platform that asked to join; raises PermissionDenied, NotFound, or StateConflict for a link that does not wait."""
    return await _end_link(control, principal, link_id, LinkState.REJECTED, body)


async def revoke_link(control: Control, principal: Principal, link_id: LinkId, body: LinkEnd) -> Link:
    """Cut a neighbour off for good: it is told nothing and believed nothing any more. What it signed before is settled.

    A repeat changes nothing. Raises PermissionDenied, NotFound or StateConflict.
    """
    return await _end_link(control, principal, link_id, LinkState.REVOKED, body)


async def _end_link(control: Control, principal: Principal, link_id: LinkId, state: LinkState, body: LinkEnd) -> Link:
    principal.require(Right.WRITE_LINKS)
    now = control.clock.now()
    async with control.storage.write() as transaction:
        link = await transaction.links.get(principal.scope, link_id)
        if link.state is state:
            return link
        if state is LinkState.REJECTED and link.side is not LinkSide.CHILD:
            raise StateConflict("only a platform that asks to be a child is rejected")
        check_link_transition(link, state)
        ended = replace(link, state=state, ended_at=now, version=link.version + 1)
        if state is LinkState.REJECTED:
            ended = replace(ended, reviewer=name_actor(principal), reviewed_at=now)
        await transaction.links.update(ended)
        detail = {"neighbour_id": link.neighbour_id, "reason": body.reason}
        await transaction.events.append(EventDraft(name_actor(principal), f"link.{state}", link.id, detail))
        await tell_names(transaction, control)
    return ended


async def _get_child(transaction: Transaction, principal: Principal, link_id: LinkId) -> Link:
    link = await transaction.links.get(principal.scope, link_id)
    if link.side is not LinkSide.CHILD:
        raise StateConflict("a link to the parent is approved by the parent")
    return link


async def _choose_names(transaction: Transaction, link: Link, body: LinkApproval) -> tuple[str | None, str]:
    """Return the region (None for an industry platform) and the label of a child's prefix."""
    proposed = await transaction.invitations.find(EVERYTHING, link.invitation_id) if link.invitation_id else None
    region = body.region or (proposed.region if proposed else None)
    label = body.prefix or (proposed.label if proposed else None)
    if label is None:
        raise InvalidInput("expected a prefix: neither the approval nor the invitation names one", "prefix")
    if proposed is not None and proposed.kind not in (None, link.kind):
        raise StateConflict(f"this invitation is for a platform that is {proposed.kind}, and this one is {link.kind}")
    if link.kind is PlatformKind.NATIONAL:
        raise StateConflict("a national platform is nobody's child")
    if link.kind is PlatformKind.INDUSTRY:
        if body.region is not None:
            raise InvalidInput("an industry platform has no region: its sites have", "region")
        return None, label
    if region is None:
        raise InvalidInput("expected a region: neither the approval nor the invitation names one", "region")
    return region, label


async def _find_own_prefix(transaction: Transaction) -> str:
    """Return the prefix that this platform was issued, empty for one without a parent."""
    links = await transaction.links.list_states(EVERYTHING, OPEN_STATES)
    return next((link.prefix for link in links if link.side is LinkSide.PARENT and link.state is LinkState.JOINED), "")


async def _check_alone(transaction: Transaction, joined: Link) -> None:
    """Refuse a region or a prefix that another child of this platform has: calls and records are told apart by them.

    The prefix of one that has left stays its own: names with it lead to where it is now.
    """
    for link in await transaction.links.list_states(EVERYTHING, {*OPEN_STATES, LinkState.LEFT}):
        if link.side is not LinkSide.CHILD or link.neighbour_id == joined.neighbour_id:
            continue
        if link.is_open and joined.region is not None and link.region == joined.region:
            raise AlreadyExists(f"the region {joined.region} is that of the child {link.name} already")
        if link.prefix == joined.prefix:
            raise AlreadyExists(f"the prefix {joined.prefix} is that of the child {link.name} already")
