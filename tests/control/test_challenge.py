"""Challenges on a real database: who may start them, whom they disturb, and an exchange that repeats and refuses as it should."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from keisan.agent.challenge import open_parts
from keisan.control import challenge as challenge_module
from keisan.control.challenge import (
    RoundWish,
    commit_challenge,
    issue_challenges,
    plan_rounds,
    start_challenges,
)
from keisan.control.challenge_answer import answer_challenge
from keisan.control.context import Control
from keisan.domain.access import Role
from keisan.domain.challenge import Challenge, ChallengeFlag, ChallengeState, Workload
from keisan.domain.claim import ClaimedCapacity
from keisan.domain.device import DeviceUse
from keisan.domain.errors import LimitExceeded, NotFound, PermissionDenied, StateConflict
from keisan.domain.figure import Precision
from keisan.domain.ids import ChallengeId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import CHALLENGE_POSITIONS, CHALLENGE_WAIT_S
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.wire.challenge import ChallengeAnswer, ChallengeCommit, ChallengeLeaf, ChallengeStart
from tests.control.challenge_world import (
    CHIP,
    CLAIM_PER_S,
    EVERYTHING,
    ChallengeWorld,
    do_work,
    open_challenge_world,
    reply_honestly,
)
from tests.control.people import add_key, count_actions, list_events, take_work
from tests.factories import FixedClock, World, create_claim


@pytest.fixture
async def stage(control: Control, clock: FixedClock, world: World) -> ChallengeWorld:
    """A site with a node of eight devices, beside one that runs a replica."""
    return await open_challenge_world(control, clock, world)


async def get_one(stage: ChallengeWorld, challenge_id: UUID) -> Challenge:
    async with stage.control.storage.read() as view:
        return await view.challenges.get(EVERYTHING, ChallengeId(challenge_id))


async def test_round_is_planned_for_all_devices_of_the_idle_node(stage: ChallengeWorld) -> None:
    started = await stage.start()
    assert {each.hardware_id for each in started} == {f"GPU-{number}" for number in range(8)}
    assert len({each.round_id for each in started}) == 1
    assert {each.asked_by for each in started} == {stage.admin.id}
    assert {(each.state, each.verdict, each.version) for each in started} == {
        (ChallengeState.PLANNED, Verdict.UNKNOWN, 1)
    }
    [event] = [event for event in await list_events(stage.control) if event.action == "challenge.planned"]
    assert event.detail["device_count"] == "8"
    stage.clock.instant += timedelta(seconds=CHALLENGE_WAIT_S)
    due = {(lease.noun, lease.noun_id) for lease in await take_work(stage.control)}
    assert (WorkNoun.CHALLENGE, started[0].round_id) in due


async def test_node_with_replicas_is_disturbed_only_if_it_may_be(stage: ChallengeWorld, world: World) -> None:
    started = await stage.start(may_disturb=True)
    by_node = {each.node_id: each.round_id for each in started}
    assert world.left.node.id in by_node
    assert len(by_node) == len(set(by_node.values())) == 2


async def test_node_is_under_one_challenge_at_a_time(stage: ChallengeWorld) -> None:
    await stage.start()
    with pytest.raises(StateConflict, match="no node of"):
        await stage.start()


async def test_device_that_is_not_ok_is_left_out(stage: ChallengeWorld, world: World) -> None:
    async with stage.control.storage.write() as transaction:
        for device in await transaction.devices.list_site(EVERYTHING, world.left.site.id):
            verdict = Verdict.OK if device.hardware_id == "GPU-4" else Verdict.UNKNOWN
            await transaction.devices.update(replace(device, verdict=verdict, version=device.version + 1))
    assert [each.hardware_id for each in await stage.start()] == ["GPU-4"]


async def test_device_that_is_retired_is_left_out(stage: ChallengeWorld, world: World) -> None:
    async with stage.control.storage.write() as transaction:
        for device in await transaction.devices.list_site(EVERYTHING, world.left.site.id):
            use = DeviceUse.OPEN if device.hardware_id == "GPU-4" else DeviceUse.RETIRED
            await transaction.devices.update(replace(device, use=use, version=device.version + 1))
    assert [each.hardware_id for each in await stage.start()] == ["GPU-4"]


async def test_node_of_too_many_devices_is_refused(stage: ChallengeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge_module, "CHALLENGE_DEVICES_MAX", 7)
    with pytest.raises(LimitExceeded):
        await stage.start()


async def test_provider_challenges_its_own_sites_and_no_other(stage: ChallengeWorld, world: World) -> None:
    body = ChallengeStart(site_id=world.left.site.id)
    own = await add_key(stage.control, world.left.project, Role.PROVIDER, world.left.provider.id)
    other = await add_key(stage.control, world.right.project, Role.PROVIDER, world.right.provider.id)
    owner = await add_key(stage.control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(NotFound):
        await start_challenges(stage.control, other, body)
    with pytest.raises(PermissionDenied):
        await start_challenges(stage.control, owner, body)
    assert {each.asked_by for each in await start_challenges(stage.control, own, body)} == {own.id}


async def test_claim_is_what_is_said_or_what_the_owner_claims(stage: ChallengeWorld, world: World) -> None:
    claimed = ClaimedCapacity(2, gflops={Precision.FP64: 14})
    async with stage.control.storage.write() as transaction:
        await transaction.claims.insert(replace(create_claim(world.left.site, CHIP), claimed=claimed))
    async with stage.control.storage.read() as view:
        for wish, claim_per_s in (
            (RoundWish(Workload.FP64), 7 * 10**9),
            (RoundWish(Workload.FP64, 9), 9),
            (RoundWish(Workload.FP32), None),
        ):
            planned = await plan_rounds(stage.control, view, world.left.site.id, wish)
            assert {each.claim_per_s for each in planned} == {claim_per_s}
            assert {each.work.workload for each in planned} == {wish.workload}


async def test_time_begins_with_the_first_answer_that_carries_the_orders(stage: ChallengeWorld) -> None:
    started = await stage.start()
    await stage.clock.sleep(3)
    begun_at = stage.clock.now()
    orders = await stage.report()
    assert {order.challenge_id for order in orders} == {each.id for each in started}
    assert {order.seed for order in orders} == {each.work.seed for each in started}
    await stage.clock.sleep(1)
    again = await stage.report()
    assert [order.due_s for order in again] == pytest.approx([order.due_s - 1 for order in orders])
    assert [order.model_copy(update={"due_s": 0}) for order in again] == [
        order.model_copy(update={"due_s": 0}) for order in orders
    ]
    found = await stage.read(started)
    assert {(each.state, each.issued_at) for each in found} == {(ChallengeState.ISSUED, begun_at)}
    assert all(each.due_at > begun_at + timedelta(seconds=CHALLENGE_WAIT_S / 2) for each in found)


async def test_orders_are_said_no_more_once_their_time_is_over(stage: ChallengeWorld) -> None:
    await stage.start()
    await stage.clock.sleep(CHALLENGE_WAIT_S)
    assert await stage.report() == ()


async def test_two_answers_at_once_begin_a_challenge_once(stage: ChallengeWorld, world: World) -> None:
    started = await stage.start()
    site_id = world.left.site.id
    answers = await asyncio.gather(*(issue_challenges(stage.control, site_id) for _ in range(4)))
    assert max(len(orders) for orders in answers) == 8
    assert {each.version for each in await stage.read(started)} == {2}


async def test_commitment_ends_the_time_and_its_repetition_is_answered_the_same(stage: ChallengeWorld) -> None:
    await stage.start()
    [order, *_] = await stage.report()
    await stage.clock.sleep(1)
    committed_at, reply = stage.clock.now(), reply_honestly(order)
    positions = await stage.commit(order, reply)
    assert len(set(positions)) == CHALLENGE_POSITIONS
    assert all(0 <= position < order.width for position in positions)
    await stage.clock.sleep(1)
    assert await stage.commit(order, reply) == positions
    found = await get_one(stage, order.challenge_id)
    assert (found.committed_at, found.told_us) == (committed_at, round(reply.told_s * 1e6))
    with pytest.raises(StateConflict, match="another commitment"):
        await stage.commit(order, replace(reply, commitment="00" * 32))


async def test_positions_cannot_be_known_before(stage: ChallengeWorld) -> None:
    await stage.start()
    drawn = set()
    for order in await stage.report():
        drawn.add(await stage.commit(order, reply_honestly(order)))
    assert len(drawn) == 8


async def test_answer_without_a_commitment_is_refused_and_a_second_one_changes_nothing(stage: ChallengeWorld) -> None:
    await stage.start()
    [order, *_] = await stage.report()
    result = do_work(order)
    with pytest.raises(StateConflict):
        await stage.answer(order, open_parts(result, range(CHALLENGE_POSITIONS)))
    positions = await stage.commit(order, reply_honestly(order))
    await stage.answer(order, open_parts(result, positions))
    found = await get_one(stage, order.challenge_id)
    # Another answer, and a wrong one: the first counts.
    await stage.answer(order, ChallengeAnswer(leaves=()))
    assert await get_one(stage, order.challenge_id) == found
    assert (found.state, found.flags) == (ChallengeState.ANSWERED, ())
    with pytest.raises(StateConflict):
        await stage.commit(order, reply_honestly(order))


async def test_nothing_is_taken_after_the_deadline(stage: ChallengeWorld) -> None:
    await stage.start()
    [first, second, *_] = await stage.report()
    positions = await stage.commit(first, reply_honestly(first))
    await stage.clock.sleep(3600)
    with pytest.raises(StateConflict, match="deadline"):
        await stage.answer(first, open_parts(do_work(first), positions))
    with pytest.raises(StateConflict, match="deadline"):
        await stage.commit(second, reply_honestly(second))


async def test_no_other_machine_answers(stage: ChallengeWorld, world: World) -> None:
    await stage.start()
    [order, *_] = await stage.report()
    challenge_id, body = ChallengeId(order.challenge_id), ChallengeCommit(commitment="ab" * 32, told_us=1)
    answer = ChallengeAnswer(leaves=())
    for principal, fault in (
        (world.right.agent.to_principal(), NotFound),
        (world.gateway.to_principal(), PermissionDenied),
        (stage.admin, PermissionDenied),
        (replace(stage.agent, site_id=None), PermissionDenied),
    ):
        with pytest.raises(fault):
            await commit_challenge(stage.control, principal, challenge_id, body)
        with pytest.raises(fault):
            await answer_challenge(stage.control, principal, challenge_id, answer)
    with pytest.raises(NotFound):
        await commit_challenge(stage.control, stage.agent, ChallengeId(create_id()), body)


@pytest.mark.parametrize(
    "answer",
    [
        ChallengeAnswer(leaves=()),
        ChallengeAnswer(leaves=(ChallengeLeaf(content="A", path=()),) * CHALLENGE_POSITIONS),
        ChallengeAnswer(leaves=(ChallengeLeaf(content="", path=("ab" * 32,)),) * CHALLENGE_POSITIONS),
    ],
)
async def test_answer_that_is_none_is_wrong(stage: ChallengeWorld, answer: ChallengeAnswer) -> None:
    await stage.start()
    [order, *_] = await stage.report()
    await stage.commit(order, reply_honestly(order))
    await stage.answer(order, answer)
    found = await get_one(stage, order.challenge_id)
    assert (found.state, found.flags) == (ChallengeState.ANSWERED, (ChallengeFlag.WRONG_ANSWER,))


async def test_refusal_is_kept_with_its_reason_and_judged_as_unknown(stage: ChallengeWorld) -> None:
    started = await stage.start(workload=Workload.BF16)
    orders = await stage.report()
    # To look for what it lacks takes a host that is busy some time, which is none of the work's.
    await stage.clock.sleep(5)
    for order in orders:
        body = ChallengeCommit(commitment=None, told_us=0, message="no PyTorch")
        opening = await commit_challenge(stage.control, stage.agent, ChallengeId(order.challenge_id), body)
        assert opening.positions == ()
    await stage.judge()
    for each in await stage.read(started):
        assert (each.verdict, each.flags, each.message) == (Verdict.UNKNOWN, (ChallengeFlag.UNABLE,), "no PyTorch")
        assert each.told_us is None


async def test_round_is_judged_once_with_one_event(stage: ChallengeWorld) -> None:
    judged = await stage.play(lambda orders: {order.hardware_id: reply_honestly(order) for order in orders})
    assert all(each.rate_per_s == pytest.approx(0.9 * CLAIM_PER_S, rel=0.01) for each in judged)
    await stage.clock.sleep(3600)
    await stage.judge()
    assert await stage.read(judged) == judged
    assert (await count_actions(stage.control))["challenge.judged"] == 1
    [event] = [event for event in await list_events(stage.control) if event.action == "challenge.judged"]
    assert (event.detail["ok_count"], event.detail["flags"]) == ("8", "")
