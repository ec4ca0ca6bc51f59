"""A join on both databases: keys are exchanged, a person approves, names are issued once, and each step may be repeated."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.control.link_ask import answer_question
from keisan.control.link_join import join_parent
from keisan.control.link_review import approve_link
from keisan.domain.errors import AlreadyExists
from keisan.domain.link import LinkSide, LinkState
from keisan.domain.platform import PlatformKind
from keisan.federation.certificate import parse_certificate
from keisan.storage.database import Database
from keisan.wire.link_view import LinkApproval
from tests.control.link_world import Member, Nation, open_nation
from tests.control.people import count_actions, list_events


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    async with open_nation(tmp_path, migrated_file) as opened:
        yield opened


@pytest.fixture
async def parent(nation: Nation, storage: Database) -> Member:
    """The parent, on the database that is tried."""
    return await nation.add(PlatformKind.NATIONAL, storage)


async def test_a_platform_joins_by_invitation_and_approval(nation: Nation, parent: Member) -> None:
    child = await nation.add()
    await join_parent(child.control, child.admin, await parent.invite(region="CN-SX", prefix="sx"))
    await child.work()
    asked = await parent.get_child()
    assert (asked.state, asked.name, asked.certificate) == (LinkState.REQUESTED, "platform 2", "")
    assert (await child.get_parent()).state is LinkState.REQUESTED
    approved = await approve_link(parent.control, parent.admin, asked.id, LinkApproval())
    await child.work()
    joined = await child.get_parent()
    assert (joined.state, joined.region, joined.prefix, joined.epoch) == (LinkState.JOINED, "CN-SX", "sx", 1)
    assert (joined.name, joined.kind) == ("platform 1", PlatformKind.NATIONAL)
    assert joined.keys == parent.control.get_identity().keys
    assert (joined.certificate, joined.digest) == (approved.certificate, "")
    holder = parse_certificate(joined.certificate, joined.keys.keys).holder
    assert (holder.platform_id, holder.region, holder.prefix) == (child.control.platform_id, "CN-SX", "sx")
    assert holder.public_key == child.control.get_identity().link_key
    reviewed = next(event for event in await list_events(parent.control) if event.action == "link.joined")
    assert reviewed.actor == approved.reviewer == joined.reviewer == f"key:{parent.admin.id}"


async def test_a_region_or_a_prefix_is_given_to_one_child(nation: Nation, parent: Member) -> None:
    first, second = await nation.add(), await nation.add()
    await parent.take_in(first, "CN-SX", "sx")
    await join_parent(second.control, second.admin, await parent.invite())
    await second.work()
    with pytest.raises(AlreadyExists, match=r"region CN-SX is that of the child platform 2"):
        await parent.approve("CN-SX", "hb")
    with pytest.raises(AlreadyExists, match=r"prefix sx is that of the child platform 2"):
        await parent.approve("CN-HB", "sx")
    assert (await parent.get_child()).state is LinkState.REQUESTED
    assert (await parent.approve("CN-HB", "hb")).state is LinkState.JOINED


async def test_of_two_approvals_of_one_region_at_once_one_is_refused(nation: Nation, parent: Member) -> None:
    for child in (await nation.add(), await nation.add()):
        await join_parent(child.control, child.admin, await parent.invite())
        await child.work()
    links = await parent.list_links(LinkSide.CHILD)
    approvals = [
        approve_link(parent.control, parent.admin, link.id, LinkApproval(region="CN-SX", prefix=f"p{number}"))
        for number, link in enumerate(links)
    ]
    outcomes = await asyncio.gather(*approvals, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(AlreadyExists) == 1
    assert sorted(link.state for link in await parent.list_links()) == ["joined", "requested"]


async def test_every_letter_of_a_join_has_its_effect_once(nation: Nation, parent: Member) -> None:
    """Answers are lost after each step, and every letter is sent again at the end."""
    child = await nation.add()
    child.lost_answers = 1
    await join_parent(child.control, child.admin, await parent.invite())
    await child.work(2)
    await parent.approve("CN-SX", "sx")
    child.lost_answers = 1
    await child.work(2)
    assert (await child.get_parent()).state is LinkState.JOINED
    before = await parent.list_links()
    for letter in nation.letters:
        await answer_question(parent.control, letter)
    after = await parent.list_links()
    assert [(link.state, link.epoch, link.version) for link in after] == [
        (link.state, link.epoch, link.version) for link in before
    ]
    counts = await count_actions(parent.control)
    assert (counts["link.requested"], counts["link.joined"]) == (1, 1)
    assert (await count_actions(child.control))["link.joined"] == 1
