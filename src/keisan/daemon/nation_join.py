"""Provinces join the national platform as any platform does: an invitation, a question, an approval, over the public APIs."""

from keisan.daemon.nation import Nation, NationPlatform
from keisan.domain.errors import Failed, Unavailable
from keisan.domain.link import LinkSide, LinkState
from keisan.domain.platform import PlatformKind
from keisan.sdk import AsyncKeisan, InvitationCreate, LinkApproval, LinkJoin, LinkView

JOIN_S_MAX = 60.0
LOOK_S = 0.5


async def join_province(nation: Nation, province: NationPlatform) -> None:
    """Have a province join unless it has, and return when both sides say so.

    Raises Unavailable if that takes too long, Failed where it has another parent or has left.
    """
    async with nation.national.open_as_operator() as parent, province.open_as_operator() as child:
        own, others = await _list_parents(parent, child)
        if others:
            raise Failed(f"{province.plan.name} has another parent, {others[0].name}")
        if own is None:
            await _ask(nation, province, parent, child)
        end_s = nation.clock.monotonic_s() + JOIN_S_MAX
        child_id = (await child.platform.get()).id
        while True:
            waiting = [link async for link in parent.links.list() if link.neighbour_id == child_id]
            for link in waiting:
                if link.state is LinkState.REQUESTED:
                    await parent.links.approve(link.id, LinkApproval())
            own, _ = await _list_parents(parent, child)
            if own is not None and own.state is LinkState.JOINED:
                return
            if nation.clock.monotonic_s() > end_s:
                fault = own.fault if own else "it has not asked"
                raise Unavailable(f"{province.plan.name} has not joined after {JOIN_S_MAX:g} s: {fault}")
            await nation.clock.sleep(LOOK_S)


def name_prefix(code: str) -> str:
    """Return the label of a province's names: that of CN-SX is sx."""
    return code.rpartition("-")[2].lower()


async def _ask(nation: Nation, province: NationPlatform, parent: AsyncKeisan, child: AsyncKeisan) -> None:
    body = InvitationCreate(
        url=str(nation.national.read_operator().platform_url),
        kind=PlatformKind.REGIONAL,
        region=province.plan.code,
        prefix=name_prefix(province.plan.code),
    )
    created = await parent.links.invite(body)
    await child.links.join(LinkJoin(token=created.token))


async def _list_parents(parent: AsyncKeisan, child: AsyncKeisan) -> tuple[LinkView | None, list[LinkView]]:
    """Return a child's living link to this parent, and those to others."""
    parent_id = (await parent.platform.get()).id
    living = (LinkState.REQUESTED, LinkState.JOINED, LinkState.LEAVING)
    found = [link async for link in child.links.list() if link.side is LinkSide.PARENT and link.state in living]
    own = [link for link in found if link.neighbour_id == parent_id]
    return (own[0] if own else None), [link for link in found if link.neighbour_id != parent_id]
