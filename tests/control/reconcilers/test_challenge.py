"""Rounds: judged when all have answered, waited for until the deadline, gone without harm."""

from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.reconcilers.challenge import ChallengeReconciler, RoundState
from keisan.domain.challenge import ChallengeFlag, ChallengeState
from keisan.domain.ids import ChallengeId
from keisan.domain.limits import CHALLENGE_HEARD_S
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from tests.control.challenge_world import TERMS, ChallengeWorld, open_challenge_world, reply_honestly
from tests.domain.challenge_samples import build_answered, build_challenge
from tests.domain.samples import NOW, name_id
from tests.factories import FixedClock, World

RECONCILER = ChallengeReconciler(TERMS)


@pytest.fixture
async def stage(control: Control, clock: FixedClock, world: World) -> ChallengeWorld:
    """A site with a node of eight devices."""
    return await open_challenge_world(control, clock, world)


def test_unanswered_round_is_looked_at_again_after_its_last_deadline() -> None:
    late = build_challenge(id=ChallengeId(name_id(21, 2)), due_at=NOW + timedelta(seconds=90))
    state = RoundState((build_answered(1, 1.0), late), None, {})
    change = RECONCILER.decide(state, NOW)
    assert (change.judged, change.due_again_at) == ((), NOW + timedelta(seconds=90 + CHALLENGE_HEARD_S))
    assert change.due_again_at is not None
    judged = RECONCILER.decide(state, change.due_again_at)
    assert judged.due_again_at is None
    assert {each.state for each in judged.judged} == {ChallengeState.JUDGED}


async def test_round_that_is_gone_or_judged_is_left(stage: ChallengeWorld) -> None:
    judged = await stage.play(lambda orders: {order.hardware_id: reply_honestly(order) for order in orders})
    async with stage.control.storage.read() as view:
        assert await RECONCILER.load(view, create_id()) is None
        assert await RECONCILER.load(view, judged[0].round_id) is None


async def test_peers_are_devices_of_other_rounds(stage: ChallengeWorld) -> None:
    stage.device_count = 2
    await stage.play(lambda orders: {order.hardware_id: reply_honestly(order) for order in orders})
    started = await stage.start()
    async with stage.control.storage.read() as view:
        state = await RECONCILER.load(view, started[0].round_id)
    assert state is not None
    # All devices of the chip are in this round themselves.
    assert set(state.peers_per_s.values()) == {()}
    assert state.heard_at is not None


async def test_late_half_of_a_round_is_judged_with_the_early_half(stage: ChallengeWorld) -> None:
    judged = await stage.play(
        lambda orders: {
            order.hardware_id: reply_honestly(order) if number % 2 else None for number, order in enumerate(orders)
        }
    )
    assert [each.verdict for each in judged] == [Verdict.FAILED, Verdict.OK] * 4
    assert {each.judged_at for each in judged} == {judged[0].judged_at}
    assert {each.flags for each in judged if each.verdict is Verdict.FAILED} == {(ChallengeFlag.NO_ANSWER,)}
