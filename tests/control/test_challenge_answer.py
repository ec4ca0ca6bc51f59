"""Answers to challenges: when one came is what counts, and a flood of one site costs another nothing."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.agent.challenge import open_parts
from keisan.control import challenge_answer as answer_module
from keisan.control.challenge_check import OpenedResult, check_opened
from keisan.control.challenge_queue import CheckQueue, CheckTurns
from keisan.control.context import Control
from keisan.domain.challenge import Challenge, ChallengeFlag, ChallengeState, ChallengeWork
from keisan.domain.errors import Postponed
from keisan.domain.ids import ChallengeId, SiteId
from keisan.domain.limits import CHALLENGE_CHECK_WAIT_S, CHALLENGE_CHECKS_SITE_MAX
from keisan.domain.verdict import Verdict
from keisan.wire.challenge import ChallengeAnswer, ChallengeOrder
from tests.control.challenge_world import (
    EVERYTHING,
    ChallengeWorld,
    Reply,
    do_work,
    find_honest_s,
    open_challenge_world,
    reply_honestly,
)
from tests.deadline import wait_until_async
from tests.factories import FixedClock, World

FLOOD = 30
CHECK_S = 3


@pytest.fixture
async def flood(control: Control, clock: FixedClock, world: World) -> ChallengeWorld:
    """A site whose node has many devices."""
    opened = await open_challenge_world(control, clock, world)
    opened.device_count = FLOOD
    await opened.report()
    return opened


@pytest.fixture
async def honest(flood: ChallengeWorld, world: World) -> ChallengeWorld:
    """Another site, of one device."""
    opened = replace(flood, side=world.right, device_count=1, last={})
    await opened.report()
    return opened


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """While it is closed, what is being checked waits."""
    opened = threading.Event()
    opened.set()
    yield opened
    opened.set()


@pytest.fixture
def checked(flood: ChallengeWorld, gate: threading.Event, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each check takes its seconds; returns the commitments in the order of their checks."""
    commitments: list[str] = []

    def check(opened: OpenedResult, works: Sequence[ChallengeWork]) -> int | None:
        commitments.append(opened.commitment)
        gate.wait(300)
        flood.clock.instant += timedelta(seconds=CHECK_S)
        return check_opened(opened, works)

    monkeypatch.setattr(answer_module, "check_opened", check)
    return commitments


async def begin(stage: ChallengeWorld) -> tuple[ChallengeOrder, ...]:
    """Start a round, and return the orders for the devices of the idle node."""
    started = await stage.start()
    wanted = {each.id for each in started}
    return tuple(order for order in await stage.report() if order.challenge_id in wanted)


async def hand_in(stage: ChallengeWorld, order: ChallengeOrder, answer: ChallengeAnswer) -> bool:
    """Tell whether it was taken."""
    try:
        await stage.answer(order, answer)
    except Postponed:
        return False
    return True


async def judge_until(stage: ChallengeWorld, task: asyncio.Task[bool]) -> None:
    while not task.done():
        await stage.judge()
        await asyncio.sleep(0)


async def commit(stage: ChallengeWorld, order: ChallengeOrder) -> tuple[ChallengeAnswer, str]:
    """Do the work in the time that it takes, commit to it, and return the answer and the commitment."""
    result = do_work(order)
    await stage.clock.sleep(find_honest_s(order))
    return open_parts(result, await stage.commit(order, reply_honestly(order))), result.build_root()


async def get_one(stage: ChallengeWorld, order: ChallengeOrder) -> Challenge:
    async with stage.control.storage.read() as view:
        return await view.challenges.get(EVERYTHING, ChallengeId(order.challenge_id))


async def test_honest_answer_behind_a_flood_of_wrong_ones_is_checked_next(
    flood: ChallengeWorld, honest: ChallengeWorld, checked: list[str], gate: threading.Event
) -> None:
    wrong = await begin(flood)
    assert len(wrong) == FLOOD
    for order in wrong:
        await flood.commit(order, Reply(0.1, "ab" * 32, None, 0.1))
    [own] = await begin(honest)
    answer, root = await commit(honest, own)
    gate.clear()
    async with asyncio.TaskGroup() as group:
        flooding = [group.create_task(hand_in(flood, order, ChallengeAnswer(leaves=()))) for order in wrong]
        # One is being checked.
        told = FLOOD - CHALLENGE_CHECKS_SITE_MAX - 1
        await wait_until_async(lambda: sum(each.done() for each in flooding) >= told, "the rest need not wait")
        fair = group.create_task(hand_in(honest, own, answer))
        await wait_until_async(lambda: count_waiting() > CHALLENGE_CHECKS_SITE_MAX, "the honest answer waits")
        gate.set()
        group.create_task(judge_until(honest, fair))
    assert fair.result()
    assert sum(each.result() for each in flooding) == CHALLENGE_CHECKS_SITE_MAX + 1
    # One was under way, and one more of that site had its turn before.
    assert checked.index(root) <= 2
    await honest.judge()
    judged = await get_one(honest, own)
    assert (judged.verdict, judged.flags) == (Verdict.OK, ())


def count_waiting() -> int:
    return answer_module.CHECKS.turns.count


async def test_answer_that_came_in_time_is_taken_after_its_deadline(flood: ChallengeWorld, checked: list[str]) -> None:
    """It had no room to wait, so it is handed in again when there is some: its time is that of the first try."""
    order, *_ = await begin(flood)
    answer, root = await commit(flood, order)
    arrived_at = flood.clock.now()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer_module, "CHECKS", CheckQueue(CheckTurns(site_max=0)))
        assert not await hand_in(flood, order, answer)
    found = await get_one(flood, order)
    assert (found.state, found.answered_at) == (ChallengeState.COMMITTED, arrived_at)
    # Long after the deadline, and after the rest of its round was heard to be silent.
    flood.clock.instant = found.due_at + timedelta(seconds=CHALLENGE_CHECK_WAIT_S / 2)
    await flood.report()
    await flood.judge()
    assert (await get_one(flood, order)).state is ChallengeState.COMMITTED
    assert await hand_in(flood, order, answer)
    assert checked == [root]
    await flood.judge()
    found = await get_one(flood, order)
    assert (found.verdict, found.flags, found.answered_at) == (Verdict.OK, (), arrived_at)


async def test_answer_that_is_never_checked_proves_nothing(flood: ChallengeWorld, checked: list[str]) -> None:
    order, silent, *_ = await begin(flood)
    answer, _ = await commit(flood, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer_module, "CHECKS", CheckQueue(CheckTurns(site_max=0)))
        assert not await hand_in(flood, order, answer)
    flood.clock.instant += timedelta(seconds=CHALLENGE_CHECK_WAIT_S)
    await flood.report()
    await flood.judge()
    judged = await get_one(flood, order)
    assert (judged.verdict, judged.flags) == (Verdict.UNKNOWN, (ChallengeFlag.UNCHECKED,))
    assert (await get_one(flood, silent)).flags == (ChallengeFlag.NO_ANSWER,)
    # Whoever hands it in now is told how it stands, and nothing is checked.
    assert await hand_in(flood, order, answer)
    assert not checked


class CountingQueue(CheckQueue):
    """Counts what is put."""

    put_count = 0

    def put(self, site_id: SiteId, challenge_id: ChallengeId, check: Callable[[], int | None]) -> Future[int | None]:
        outcome = super().put(site_id, challenge_id, check)
        CountingQueue.put_count += 1
        return outcome


async def test_answer_that_is_handed_in_again_meanwhile_is_checked_once(
    flood: ChallengeWorld, checked: list[str], gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an agent does whose request was cut."""
    monkeypatch.setattr(answer_module, "CHECKS", CountingQueue())
    order, *_ = await begin(flood)
    answer, _ = await commit(flood, order)
    gate.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hand_in(flood, order, answer)) for _ in range(5)]
        await wait_until_async(lambda: CountingQueue.put_count == 5, "all wait")
        gate.set()
    assert [each.result() for each in tasks] == [True] * 5
    assert len(checked) == 1
    assert (await get_one(flood, order)).flags == ()
