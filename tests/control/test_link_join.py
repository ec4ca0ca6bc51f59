"""What a child's people decide: one parent at a time, the same invitation once, and a move that may change its aim."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.link_join import join_parent, leave_parent, move_parent
from keisan.control.link_review import reject_link
from keisan.domain.access import Right
from keisan.domain.errors import InvalidInput, PermissionDenied, StateConflict
from keisan.domain.link import LinkState
from keisan.domain.platform import PlatformKind
from keisan.wire.link_view import LinkEnd, LinkJoin
from tests.control.link_world import Nation, open_nation
from tests.control.people import count_actions


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    async with open_nation(tmp_path, migrated_file) as opened:
        await opened.add(PlatformKind.NATIONAL)
        await opened.add()
        yield opened


async def test_one_invitation_asks_once_and_a_second_parent_is_refused(nation: Nation) -> None:
    parent, child, other = nation.members[1], nation.members[2], await nation.add(PlatformKind.NATIONAL)
    token = await parent.invite()
    first = await join_parent(child.control, child.admin, token)
    assert await join_parent(child.control, child.admin, token) == first
    assert (await count_actions(child.control))["link.requested"] == 1
    with pytest.raises(StateConflict, match="has a parent, or asks one"):
        await join_parent(child.control, child.admin, await other.invite())
    with pytest.raises(StateConflict, match="a link to this platform already"):
        await join_parent(child.control, child.admin, await parent.invite())
    with pytest.raises(InvalidInput, match="this platform's own"):
        await join_parent(parent.control, parent.admin, token)


async def test_who_may_not_decide_decides_nothing(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    link, nobody = await child.get_parent(), replace(child.admin, rights=frozenset({Right.READ}))
    token = await parent.invite()
    with pytest.raises(PermissionDenied):
        await join_parent(child.control, nobody, token)
    with pytest.raises(PermissionDenied):
        await leave_parent(child.control, nobody, link.id)
    with pytest.raises(PermissionDenied):
        await move_parent(child.control, nobody, link.id, token)
    with pytest.raises(InvalidInput, match="begins with"):
        await join_parent(child.control, child.admin, LinkJoin(token="no invitation"))
    assert await child.get_parent() == link


async def test_a_platform_leaves_its_parent_once(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    link = await child.get_parent()
    leaving = await leave_parent(child.control, child.admin, link.id)
    assert await leave_parent(child.control, child.admin, link.id) == leaving
    with pytest.raises(StateConflict, match="a child is revoked"):
        await leave_parent(parent.control, parent.admin, (await parent.get_child()).id)
    await child.work(3)
    assert (await child.get_parent()).state is (await parent.get_child()).state is LinkState.LEFT
    with pytest.raises(StateConflict):
        await leave_parent(child.control, child.admin, link.id)
    counts = await count_actions(parent.control)
    assert (counts["link.leaving"], counts["link.left"]) == (1, 1)


async def test_a_request_is_not_left(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    link = await join_parent(child.control, child.admin, await parent.invite())
    with pytest.raises(StateConflict, match="requested cannot become leaving"):
        await leave_parent(child.control, child.admin, link.id)


async def test_a_move_leads_elsewhere_after_a_rejection(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    link = await child.get_parent()
    with pytest.raises(StateConflict, match="that one's child already"):
        await move_parent(child.control, child.admin, link.id, await parent.invite())
    refusing, taking = await nation.add(PlatformKind.NATIONAL), await nation.add(PlatformKind.NATIONAL)
    token = await refusing.invite()
    moving = await move_parent(child.control, child.admin, link.id, token)
    assert await move_parent(child.control, child.admin, link.id, token) == moving
    await child.work()
    await reject_link(refusing.control, refusing.admin, (await refusing.get_child()).id, LinkEnd())
    await child.work(3)
    async with child.control.storage.read() as view:
        held = await view.links.get(child.admin.scope, link.id)
    assert held.state is LinkState.LEAVING
    again = await move_parent(child.control, child.admin, link.id, await taking.invite())
    assert again.successor_id not in (None, moving.successor_id)
    await child.work(2)
    await taking.approve("CN-SX", "sx")
    await child.work(4)
    async with child.control.storage.read() as view:
        left = await view.links.get(child.admin.scope, link.id)
    assert (left.state, (await child.get_parent()).state) == (LinkState.LEFT, LinkState.JOINED)
    assert (await child.get_parent()).epoch == 3
    with pytest.raises(StateConflict):
        await move_parent(child.control, child.admin, link.id, await refusing.invite())
