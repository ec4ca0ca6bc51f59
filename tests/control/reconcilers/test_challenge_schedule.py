"""The platform's own challenges: at times that nobody can tell, of every node in the end, disturbing none that serves."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from statistics import mean

import pytest

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.challenge_schedule import (
    SCHEDULE_ID,
    WAIT_S_MIN,
    ChallengeScheduleReconciler,
    ScheduleState,
    start_challenge_schedule,
)
from keisan.domain.challenge import Challenge, ChallengeState, Workload
from keisan.domain.challenge_rule import ScheduleTerms
from keisan.domain.ids import ChallengeRoundId
from keisan.domain.lease import WorkNoun
from tests.control.challenge_world import EVERYTHING, ChallengeWorld, open_challenge_world
from tests.control.people import take_work
from tests.domain.challenge_samples import build_challenge
from tests.domain.samples import NOW, name_id
from tests.factories import FixedClock, World, create_device, create_node

PERIOD_S = 3600.0


@pytest.fixture
async def stage(control: Control, clock: FixedClock, world: World) -> ChallengeWorld:
    """A site with a node of devices beside one that runs a replica, and another site that runs a replica."""
    return await open_challenge_world(control, clock, world)


def build(stage: ChallengeWorld, seed: int = 1, **changes: object) -> ChallengeScheduleReconciler:
    terms = replace(ScheduleTerms(PERIOD_S), **changes)  # type: ignore[arg-type]  # fields of the terms
    return ChallengeScheduleReconciler(stage.control, terms, Random(seed))


async def run_for(stage: ChallengeWorld, reconciler: ChallengeScheduleReconciler, steps: int) -> list[Challenge]:
    """Run the schedule for a while, each round over at once, and return what it planned, oldest first."""
    async with stage.control.storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.CHALLENGE_SCHEDULE, SCHEDULE_ID, stage.clock.now())
    loop = LeaseLoop(stage.control, {WorkNoun.CHALLENGE_SCHEDULE: reconciler})
    planned: list[Challenge] = []
    for _ in range(steps):
        stage.clock.instant += timedelta(seconds=60)
        if not await loop.run_round():
            continue
        async with stage.control.storage.write() as transaction:
            for site in await transaction.sites.list_all(EVERYTHING):
                for each in await transaction.challenges.list_open(EVERYTHING, site.id):
                    planned.append(each)
                    over = replace(each, state=ChallengeState.JUDGED, version=each.version + 1)
                    await transaction.challenges.update(over)
    return planned


async def test_only_idle_nodes_are_challenged_by_nobodys_wish(stage: ChallengeWorld, world: World) -> None:
    planned = await run_for(stage, build(stage), 300)
    assert planned
    assert {each.asked_by for each in planned} == {None}
    serving = {world.left.node.id, world.right.node.id}
    assert not {each.node_id for each in planned} & serving
    assert {each.work.workload for each in planned} == {Workload.FP32, Workload.MEMORY}


async def test_serving_nodes_are_challenged_where_that_is_allowed(stage: ChallengeWorld, world: World) -> None:
    planned = await run_for(stage, build(stage, may_disturb=True), 300)
    assert {world.left.node.id, world.right.node.id} <= {each.node_id for each in planned}


async def test_one_node_at_a_time_and_each_in_the_end(stage: ChallengeWorld, world: World) -> None:
    nodes = [create_node(world.right.site) for _ in range(3)]
    async with stage.control.storage.write() as transaction:
        for node in nodes:
            await transaction.nodes.insert(node)
            await transaction.devices.insert(create_device(node))
    planned = await run_for(stage, build(stage), 600)
    assert {node.id for node in nodes} <= {each.node_id for each in planned}
    by_time = Counter((each.created_at, each.node_id) for each in planned)
    assert len({created_at for created_at, _ in by_time}) == len(by_time)


def test_times_are_random_with_the_wanted_mean(stage: ChallengeWorld) -> None:
    reconciler = build(stage, 7)
    waits_s = [(reconciler.decide(ScheduleState(1, ()), NOW).due_again_at - NOW).total_seconds() for _ in range(4000)]
    assert mean(waits_s) == pytest.approx(PERIOD_S, rel=0.1)
    # Of an exponential wait, one in three is less than 0.4 of the mean, and one in twenty more than three times it.
    assert sum(wait_s < 0.4 * PERIOD_S for wait_s in waits_s) / 4000 == pytest.approx(0.33, abs=0.04)
    assert sum(wait_s > 3 * PERIOD_S for wait_s in waits_s) / 4000 == pytest.approx(0.05, abs=0.02)
    many = [reconciler.decide(ScheduleState(10**7, ()), NOW).due_again_at for _ in range(10)]
    assert {(due_at - NOW).total_seconds() for due_at in many} == {WAIT_S_MIN}


def test_one_round_is_chosen_whole(stage: ChallengeWorld) -> None:
    rounds = [ChallengeRoundId(name_id(22, number)) for number in (1, 2)]
    possible = tuple(build_challenge(round_id=round_id, hardware_id=str(n)) for round_id in rounds for n in range(3))
    chosen: Counter[ChallengeRoundId] = Counter()
    for seed in range(40):
        planned = build(stage, seed).decide(ScheduleState(2, possible), NOW).planned
        assert len(planned) == 3
        [round_id] = {each.round_id for each in planned}
        chosen[round_id] += 1
    assert set(chosen) == set(rounds)


async def test_start_begins_nothing_and_puts_nothing_off(stage: ChallengeWorld) -> None:
    terms, now = ScheduleTerms(PERIOD_S), stage.clock.now()
    waits_s = [Random(seed).expovariate(1 / PERIOD_S) for seed in (1, 2)]
    for seed in (1, 2):
        await start_challenge_schedule(stage.control.storage, now, terms, Random(seed))
    await start_challenge_schedule(stage.control.storage, now, ScheduleTerms(0), Random(3))
    for wait_s, is_due in ((min(waits_s) - 1, False), (min(waits_s) + 1, True)):
        stage.clock.instant = now + timedelta(seconds=wait_s)
        nouns = {lease.noun for lease in await take_work(stage.control)}
        assert (WorkNoun.CHALLENGE_SCHEDULE in nouns) is is_due


async def test_without_a_period_nothing_is_begun(stage: ChallengeWorld) -> None:
    async with stage.control.storage.read() as view:
        assert await build(stage, period_s=0.0).load(view, SCHEDULE_ID) is None
    assert not await run_for(stage, build(stage, period_s=0.0), 5)
