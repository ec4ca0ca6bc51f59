"""What a parent's people decide: names by approval or as proposed, a rejection once, a revocation for good."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.link_join import join_parent
from keisan.control.link_review import approve_link, reject_link, revoke_link
from keisan.domain.access import Right
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict
from keisan.domain.ids import LinkId
from keisan.domain.link import LinkState
from keisan.domain.platform import PlatformKind
from keisan.kit.ids import create_id
from keisan.wire.link_view import LinkApproval, LinkEnd
from tests.control.link_world import Member, Nation, open_nation
from tests.control.people import count_actions


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    async with open_nation(tmp_path, migrated_file) as opened:
        await opened.add(PlatformKind.NATIONAL)
        yield opened


async def ask(nation: Nation, what: PlatformKind = PlatformKind.REGIONAL, **proposed: object) -> Member:
    child = await nation.add(what)
    await join_parent(child.control, child.admin, await nation.members[1].invite(**proposed))
    await child.work()
    return child


async def test_who_may_not_decide_decides_nothing(nation: Nation) -> None:
    parent = nation.members[1]
    await ask(nation)
    link = await parent.get_child()
    nobody = replace(parent.admin, rights=frozenset({Right.READ}))
    with pytest.raises(PermissionDenied):
        await approve_link(parent.control, nobody, link.id, LinkApproval(region="CN-SX", prefix="sx"))
    for end in (reject_link, revoke_link):
        with pytest.raises(PermissionDenied):
            await end(parent.control, nobody, link.id, LinkEnd())
    with pytest.raises(NotFound):
        await approve_link(parent.control, parent.admin, LinkId(create_id()), LinkApproval())
    assert await parent.get_child() == link


async def test_names_are_those_of_the_approval_or_else_as_proposed(nation: Nation) -> None:
    parent = nation.members[1]
    child = await ask(nation, region="CN-SX")
    with pytest.raises(InvalidInput, match="expected a prefix"):
        await approve_link(parent.control, parent.admin, (await parent.get_child()).id, LinkApproval())
    joined = await parent.approve("CN-HB", "hb")
    assert (joined.region, joined.prefix) == ("CN-HB", "hb")
    assert await parent.approve("CN-HB", "hb") == joined
    with pytest.raises(StateConflict):
        await parent.approve("CN-SX", "hb")
    await child.work()
    await ask(nation)
    with pytest.raises(InvalidInput, match="expected a region"):
        await parent.approve(None, "x")


async def test_a_childs_prefix_follows_that_of_its_parent(nation: Nation) -> None:
    parent, child = nation.members[1], await ask(nation)
    await parent.approve("CN-SX", "sx")
    await child.work()
    grandchild = await nation.add(PlatformKind.INDUSTRY)
    await child.take_in(grandchild, None, "steel")
    link = await grandchild.get_parent()
    assert (link.prefix, link.region, link.state) == ("sx.steel", None, LinkState.JOINED)


async def test_an_industry_platform_has_no_region_and_a_national_one_no_parent(nation: Nation) -> None:
    parent = nation.members[1]
    await ask(nation, PlatformKind.INDUSTRY)
    with pytest.raises(InvalidInput, match="has no region"):
        await parent.approve("CN-SX", "steel")
    assert (await parent.approve(None, "steel")).region is None
    await ask(nation, PlatformKind.NATIONAL)
    with pytest.raises(StateConflict, match="nobody's child"):
        await parent.approve("CN-SX", "x")
    await ask(nation, PlatformKind.REGIONAL, kind="industry")
    with pytest.raises(StateConflict, match="is for a platform that is industry"):
        await parent.approve("CN-SX", "x")


async def test_a_rejected_platform_hears_of_it_and_may_ask_again_by_another_invitation(nation: Nation) -> None:
    parent, child = nation.members[1], await ask(nation)
    link = await parent.get_child()
    rejected = link
    for _ in range(2):
        rejected = await reject_link(parent.control, parent.admin, link.id, LinkEnd(reason="not yet"))
    assert (rejected.state, rejected.reviewer) == (LinkState.REJECTED, f"key:{parent.admin.id}")
    await child.work(2)
    assert (await child.get_parent()).state is LinkState.REJECTED
    assert (await count_actions(parent.control))["link.rejected"] == 1
    await parent.take_in(child, "CN-SX", "sx")
    assert (await child.get_parent()).state is LinkState.JOINED
    assert (await child.get_parent()).epoch == 2
    with pytest.raises(StateConflict):
        await reject_link(parent.control, parent.admin, (await parent.get_child()).id, LinkEnd())


async def test_a_revoked_child_hears_of_it_and_its_region_is_free_again(nation: Nation) -> None:
    parent, child = nation.members[1], await ask(nation)
    await parent.approve("CN-SX", "sx")
    await child.work()
    link = await parent.get_child()
    revoked = await revoke_link(parent.control, parent.admin, link.id, LinkEnd(reason="key stolen"))
    assert await revoke_link(parent.control, parent.admin, link.id, LinkEnd()) == revoked
    assert revoked.ended_at is not None
    child.clock.instant = child.clock.instant.replace(month=12, day=20)
    await child.work()
    assert (await child.get_parent()).state is LinkState.REVOKED
    other = await nation.add()
    await parent.take_in(other, "CN-SX", "sx")
    assert (await other.get_parent()).state is LinkState.JOINED


async def test_a_child_decides_nothing_of_its_own_join_but_may_revoke_its_parent(nation: Nation) -> None:
    child = await ask(nation)
    link = await child.get_parent()
    with pytest.raises(StateConflict, match="approved by the parent"):
        await approve_link(child.control, child.admin, link.id, LinkApproval(region="CN-SX", prefix="x"))
    with pytest.raises(StateConflict, match="asks to be a child"):
        await reject_link(child.control, child.admin, link.id, LinkEnd())
    assert (await revoke_link(child.control, child.admin, link.id, LinkEnd())).state is LinkState.REVOKED
