"""Departures: each step's work once, in order, over a kill; the parent is waited for, and then its part stays in suspense."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.context import Control
from keisan.control.departure import DepartureWorks, StepOutcome
from keisan.control.link_join import leave_parent, move_parent
from keisan.domain.departure import DepartureStep, StepName, StepState, find_next_step, plan_departure
from keisan.domain.errors import StorageUnavailable
from keisan.domain.limits import DEPARTURE_WAIT_S, LINK_REVIEW_S_MAX
from keisan.domain.link import Link, LinkState
from keisan.domain.platform import PlatformKind
from keisan.storage.base import Transaction
from tests.control.link_world import Member, Nation, open_nation

ROUNDS = DEPARTURE_WAIT_S // LINK_REVIEW_S_MAX + 2


class Settlement:
    """Work that waits until it is let go on, and may end the platform in its middle; it notes each time that it committed."""

    def __init__(self) -> None:
        self.is_open = True
        self.kills = 0
        self.tried = 0

    async def close(self, _transaction: Transaction, _control: Control, _link: Link) -> StepOutcome:
        self.tried += 1
        if self.kills:
            self.kills -= 1
            raise StorageUnavailable("killed here")
        return StepOutcome(self.is_open, "up to 17" if self.is_open else "the parent's word is awaited")


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    async with open_nation(tmp_path, migrated_file) as opened:
        parent, child = await opened.add(PlatformKind.NATIONAL), await opened.add()
        await parent.take_in(child, "CN-SX", "sx")
        yield opened


async def get_first(child: Member) -> Link:
    return (await child.list_links())[0]


def list_steps(link: Link) -> dict[StepName, StepState]:
    return {step.name: step.state for step in link.departure}


async def test_a_step_whose_platform_was_killed_is_done_after_the_restart(nation: Nation) -> None:
    child, settlement = nation.members[2], Settlement()
    child.works = DepartureWorks({StepName.CLOSE_PERIOD: settlement.close})
    settlement.kills = 2
    await leave_parent(child.control, child.admin, (await get_first(child)).id)
    await child.work()
    assert list_steps(await get_first(child))[StepName.CLOSE_PERIOD] is StepState.PENDING
    await child.work(8)
    link = await get_first(child)
    assert (link.state, settlement.tried) == (LinkState.LEFT, 3)
    assert link.departure[0].detail == "up to 17"


async def test_what_the_parent_must_say_is_awaited_and_then_stays_in_suspense(nation: Nation) -> None:
    child, settlement = nation.members[2], Settlement()
    child.works = DepartureWorks({StepName.CLOSE_PERIOD: settlement.close})
    settlement.is_open = False
    child.is_cut = True
    await leave_parent(child.control, child.admin, (await get_first(child)).id)
    await child.work(3)
    link = await get_first(child)
    assert set(list_steps(link).values()) == {StepState.PENDING}
    assert "does not answer" in link.fault
    await child.work(ROUNDS)
    link = await get_first(child)
    assert link.state is LinkState.LEFT
    assert [name for name, state in list_steps(link).items() if state is StepState.SUSPENSE] == [
        StepName.CLOSE_PERIOD,
        StepName.SAY_GOODBYE,
    ]
    assert link.departure[0].detail == "the parent's word is awaited"
    # The parent heard nothing: to it the child is as it was.
    assert (await nation.members[1].get_child()).state is LinkState.JOINED


async def test_a_move_proceeds_though_the_old_parent_is_gone_and_waits_for_the_new_one(nation: Nation) -> None:
    child, other = nation.members[2], await nation.add(PlatformKind.NATIONAL)
    token = await other.invite()
    nation.members[1].is_cut = True
    await move_parent(child.control, child.admin, (await get_first(child)).id, token)
    await child.work(ROUNDS * 2)
    link = await get_first(child)
    # Until there is another parent nothing is given up, however long it takes.
    assert (link.state, list_steps(link)[StepName.JOIN_OTHER]) == (LinkState.LEAVING, StepState.PENDING)
    await other.approve("CN-SX", "sx")
    await child.work(6)
    link, joined = await child.list_links()
    assert (link.state, joined.state) == (LinkState.LEFT, LinkState.JOINED)
    assert joined.epoch > link.epoch
    assert list_steps(link)[StepName.SAY_GOODBYE] is StepState.SUSPENSE
    assert "epoch 2" in next(step.detail for step in link.departure if step.name is StepName.JOIN_OTHER)


async def test_a_parent_that_could_not_be_reached_hears_of_it_later(nation: Nation) -> None:
    """Else it would send to a platform that is not there whatever is for it, for ever."""
    parent, child, ended = nation.members[1], nation.members[2], []

    async def end_move(transaction: Transaction, control: Control) -> None:
        ended.append(control.platform_id)

    child.works, other = DepartureWorks(end_move=end_move), await nation.add(PlatformKind.NATIONAL)
    token, parent.is_cut = await other.invite(), True
    await move_parent(child.control, child.admin, (await get_first(child)).id, token)
    await child.work(ROUNDS)
    await other.approve("CN-SX", "sx")
    await child.work(6)
    before = await get_first(child)
    assert (before.state, (await parent.get_child()).state) == (LinkState.LEFT, LinkState.JOINED)
    parent.is_cut = False
    await child.work(ROUNDS)
    after = await get_first(child)
    assert (list_steps(after)[StepName.SAY_GOODBYE], after.ended_at) == (StepState.DONE, before.ended_at)
    assert (await parent.get_child()).state is LinkState.LEFT
    asked = len(nation.letters)
    await child.work(3)
    assert (len(ended), len(nation.letters)) == (1, asked)


async def test_a_departure_without_an_aim_waits(nation: Nation) -> None:
    child = nation.members[2]
    link = replace(await get_first(child), departure=plan_departure(is_move=True))
    async with child.control.storage.write() as transaction:
        advanced = await DepartureWorks().advance(transaction, child.control, link)
    assert find_next_step(advanced.departure) == DepartureStep(StepName.JOIN_OTHER)
