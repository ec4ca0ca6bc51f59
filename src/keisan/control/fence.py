"""Fences of start orders: under which epoch they are given, and how a platform that was restored gets above what agents have seen."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.domain.access import PlatformScope
from keisan.domain.deployment import Deployment
from keisan.domain.event import EventDraft
from keisan.domain.fence import Fence, is_outdated
from keisan.domain.grant import GrantTerms
from keisan.domain.ids import DeploymentId, PlatformId, SiteId
from keisan.domain.limits import FENCE_LEAP_MAX, GRANT_EPOCH_JUMP_MAX
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.federation.rule_grant import raise_epoch
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.site import FenceReport


async def load_epoch(view: Transaction, platform_id: PlatformId) -> int:
    """Return the epoch under which orders are given; 0 for a platform that never joined another, and was never restored."""
    terms = await view.grant_terms.find(PlatformScope(), platform_id)
    return 0 if terms is None else terms.epoch


def draw_fence_leap() -> int:
    """Return by how much a placement raises a deployment's fence: by chance.

    A platform that was restored from an old disk places anew from where it was then. By the same step it would give the number of an
    order that is lost with its disk, and may still be under way; so the agent sees that one of the two is older.
    """
    return 1 + create_id().int % FENCE_LEAP_MAX


async def begin_life(transaction: Transaction, control: Control, above: int, reason: str) -> GrantTerms:
    """Raise the platform's epoch above every one that was heard of, at a join, a move or a restore, and return its terms.

    What neighbours and agents were told before is of an older life from then on. Nothing that runs is stopped.
    """
    found = await transaction.grant_terms.lock(control.platform_id)
    if found is None:
        terms = GrantTerms(control.platform_id, above + 1, 0, 0, 1)
        await transaction.grant_terms.insert(terms)
    else:
        terms = raise_epoch(found, above)
        await transaction.grant_terms.update(terms)
    await tell_epoch(transaction, terms.epoch, reason)
    return terms


async def tell_epoch(transaction: Transaction, epoch: int, reason: str) -> None:
    """Let the link to the parent be of the platform's epoch, which has risen: both are one number.

    The parent hears of it as the link connects next, or by the next question.
    """
    for link in await transaction.links.list_states(PlatformScope(), {LinkState.JOINED}):
        if link.side is LinkSide.PARENT and link.epoch < epoch:
            await transaction.links.update(replace(link, epoch=epoch, version=link.version + 1))
    detail = {"epoch": str(epoch), "reason": reason}
    await transaction.events.append(EventDraft(CONTROL_ACTOR, "platform.epoch_raised", None, detail))


async def follow_link(transaction: Transaction, control: Control, link: Link, reason: str) -> None:
    """Begin the life that a link to the parent is of; if the platform is in a later one, the link follows it."""
    epoch = await load_epoch(transaction, control.platform_id)
    if link.side is not LinkSide.PARENT or epoch == link.epoch:
        return
    if epoch < link.epoch:
        await begin_life(transaction, control, link.epoch - 1, reason)
    else:
        await tell_epoch(transaction, epoch, reason)


async def catch_up_with_agent(control: Control, site_id: SiteId, told: Iterable[FenceReport]) -> None:
    """Begin another life where a site's agent has seen higher fences of its deployments than this platform gave: its disk is older.

    An agent that was merely given an old order again has seen none that is higher, and changes nothing.
    """
    seen = {DeploymentId(each.deployment_id): Fence(each.epoch, each.number) for each in told}
    if not seen:
        return
    async with control.storage.write() as transaction:
        scope = PlatformScope()
        placed = {replica.deployment_id for replica in await transaction.replicas.list_site(scope, site_id)}
        terms = await transaction.grant_terms.lock(control.platform_id)
        epoch = 0 if terms is None else terms.epoch
        own = await transaction.deployments.list_by_ids(scope, placed & seen.keys())
        higher = list_higher(epoch, own, seen)
        if higher:
            await begin_life(
                transaction, control, max(fence.epoch for fence in higher), "an agent has seen later orders"
            )


def list_higher(epoch: int, own: Iterable[Deployment], seen: Mapping[DeploymentId, Fence]) -> list[Fence]:
    """Return what was seen that is higher than what was given; an epoch that no restored disk explains is not believed."""
    return [
        seen[each.id]
        for each in own
        if is_outdated(Fence(epoch, each.fence), seen[each.id]) and seen[each.id].epoch <= epoch + GRANT_EPOCH_JUMP_MAX
    ]
