"""Serving challenges by the real loop, real calls and real records: what is counted, which lies are noticed, when the key ends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.challenge_rule import ChallengeTerms
from keisan.domain.errors import StorageUnavailable
from keisan.domain.ids import DeploymentId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import CHALLENGE_WAIT_S, SERVING_RECORDS_S_MAX
from keisan.domain.page import PageRequest
from keisan.domain.price import TokenClass
from keisan.domain.serving_challenge import ServingChallenge, ServingFlag, ServingState
from keisan.domain.usage import UsageSource
from keisan.domain.usage_sum import UsageFilter
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.control.people import count_actions, list_events, take_work
from tests.control.serving_world import ServingWorld, open_serving_world
from tests.factories import World, create_record

FLAG = ServingFlag
EVERYTHING = PlatformScope()


@pytest.fixture
async def stage(control: Control, storage: Database, world: World) -> AsyncIterator[ServingWorld]:
    """A deployment with one ready replica, behind a gateway that answers honestly unless told otherwise."""
    async with open_serving_world(control, storage, world) as stage:
        yield stage


async def count_tokens(stage: ServingWorld, challenge: ServingChallenge) -> int:
    """Return the output tokens of the records of a challenge's key, read without the reconciler."""
    today = stage.clock.now().date()
    wanted = UsageFilter(today - timedelta(days=1), today + timedelta(days=1), key_id=challenge.key_id)
    async with stage.control.storage.read() as view:
        page = await view.usage.list(EVERYTHING, wanted, PageRequest(limit=500))
    return sum(each.record.quantities.get(TokenClass.OUTPUT, 0) for each in page.items)


async def test_ladder_is_climbed_and_counted_by_records(
    stage: ServingWorld, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More records than a page has.
    monkeypatch.setattr("keisan.control.reconcilers.serving_challenge.PAGE_ITEMS_MAX", 3)
    judged = await stage.run(concurrency_max=2, claim_milli_per_s=1)
    assert (judged.verdict, judged.flags) == (Verdict.OK, (FLAG.ABOVE_CLAIM,))
    assert [step.concurrency for step in judged.steps] == [1, 2]
    assert stage.gateway.open_calls_most == 2
    best = max(judged.steps, key=lambda step: step.rate_milli_per_s)
    assert (judged.rate_milli_per_s, judged.concurrency) == (best.rate_milli_per_s, best.concurrency)
    assert sum(step.output_tokens for step in judged.steps) == await count_tokens(stage, judged)
    assert best.output_tokens == best.piece_count == 8 * best.call_count
    # A step takes the time that it was given, and no call begins after it.
    assert 1_000_000 <= best.elapsed_us < 10_500_000
    assert best.rate_milli_per_s == best.output_tokens * 10**9 // best.elapsed_us
    assert judged.replica_ids == (world.left.replica.id,)
    prompts = [str(body["messages"]) for body in stage.gateway.bodies]
    assert len(set(prompts)) == len(prompts) == sum(step.call_count for step in judged.steps)
    assert {body["model"] for body in stage.gateway.bodies} == {world.model.facts.name}


async def test_calls_are_made_with_a_key_that_reaches_no_further_and_ends(stage: ServingWorld, world: World) -> None:
    started = await stage.start()
    running = await stage.run_until(started, lambda found: found.state is ServingState.RUNNING)
    key = await stage.get_key(running)
    assert (key.project_id, key.models) == (world.left.project.id, (world.model.facts.name,))
    assert key.policy == f"site in {world.left.site.id}"
    assert key.revoked_at is None
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert (await stage.get_key(judged)).revoked_at is not None
    assert judged.key_id == key.id
    actions = await count_actions(stage.control)
    names = ("serving_challenge.planned", "serving_challenge.judged", "key.created", "key.revoked")
    assert [actions[name] for name in names] == [1, 1, 1, 1]
    [told] = [event for event in await list_events(stage.control) if event.action == "serving_challenge.judged"]
    assert told.detail["verdict"] == "ok"
    # One more look finds it judged, and forgets the secret.
    await stage.loop.run_round()
    assert stage.loop.reconcilers[WorkNoun.SERVING_CHALLENGE].runs == {}  # type: ignore[attr-defined]  # this one has
    stage.clock.ahead += timedelta(days=1)
    assert WorkNoun.SERVING_CHALLENGE not in {lease.noun for lease in await take_work(stage.control)}


async def test_no_call_is_made_before_gateways_know_the_key(stage: ServingWorld) -> None:
    started = await stage.start()
    for _ in range(4):
        stage.clock.ahead += timedelta(seconds=1)
        await stage.loop.run_round()
    assert (await stage.get(started)).state is ServingState.RUNNING
    assert stage.gateway.bodies == []


@pytest.mark.parametrize(
    ("factor", "verdict", "flags"),
    [
        # Five bytes a piece: six tokens a piece cannot be, three are not seen in the stream.
        (6, Verdict.FAILED, (FLAG.TOLD_MORE, FLAG.FEW_PIECES)),
        (3, Verdict.UNKNOWN, (FLAG.FEW_PIECES,)),
    ],
)
async def test_engine_that_counts_more_than_it_streamed_is_noticed(
    stage: ServingWorld, factor: int, verdict: Verdict, flags: tuple[ServingFlag, ...]
) -> None:
    stage.gateway.habits.claim_factor = factor
    judged = await stage.run()
    assert (judged.verdict, judged.flags, judged.rate_milli_per_s) == (verdict, flags, None)
    assert judged.steps[0].output_tokens == factor * judged.steps[0].piece_count


async def test_engine_that_begins_with_an_empty_piece_gains_nothing(stage: ServingWorld) -> None:
    habits = stage.gateway.habits
    habits.begins_empty, habits.first_wait_s = True, 1.2
    habits.record_changes = {"first_byte_us": 1000}
    stage.control = replace(stage.control, challenge_terms=ChallengeTerms())
    stage.restart()
    judged = await stage.run(first_token_ms=500)
    assert judged.flags == (FLAG.TOLD_SHORTER, FLAG.SLOW_FIRST_TOKEN)
    assert (judged.verdict, judged.rate_milli_per_s) == (Verdict.UNKNOWN, None)


async def test_latency_beyond_the_limit_disproves(stage: ServingWorld) -> None:
    stage.gateway.habits.first_wait_s = 0.4
    judged = await stage.run(first_token_ms=300)
    assert (judged.verdict, judged.flags) == (Verdict.FAILED, (FLAG.SLOW_FIRST_TOKEN,))


async def test_step_that_is_refused_ends_the_ladder_at_the_one_before(stage: ServingWorld) -> None:
    # A call lasts so long that the other caller's come meanwhile.
    stage.gateway.habits.calls_max, stage.gateway.habits.first_wait_s = 1, 0.3
    judged = await stage.run(concurrency_max=8)
    assert [step.is_held for step in judged.steps] == [True, False]
    assert (judged.verdict, judged.flags, judged.concurrency) == (Verdict.OK, (FLAG.CALLS_FAILED,), 1)
    assert judged.message == "engine_overloaded"


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", "answer_broken"),
        ("data: no json\n\n", "answer_broken"),
        ('data: {"error": {"code": "engine_error", "message": "x"}}\n\n', "engine_error"),
        ('data: {"error": "x"}\n\n', "http_200"),
        (": a comment\n\ndata: [DONE]\n\n", ""),
    ],
)
async def test_answers_that_break_are_no_proof(stage: ServingWorld, ending: str, code: str) -> None:
    stage.gateway.habits.ending = ending
    judged = await stage.run()
    assert judged.message == code
    assert judged.verdict is (Verdict.UNKNOWN if code else Verdict.OK)
    assert (FLAG.CALLS_FAILED in judged.flags) is bool(code)


async def test_records_that_do_not_come_are_awaited_and_leave_it_open(stage: ServingWorld) -> None:
    stage.gateway.habits.is_recording = False
    started = await stage.start()
    await stage.run_until(started, lambda _: bool(stage.gateway.bodies) and not stage.gateway.open_calls)
    stage.clock.ahead += timedelta(seconds=SERVING_RECORDS_S_MAX - 15)
    await stage.loop.run_round()
    assert (await stage.get(started)).state is ServingState.RUNNING
    stage.clock.ahead += timedelta(seconds=16)
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert judged.flags == (FLAG.RECORDS_MISSING, FLAG.NO_TOKENS)
    assert (judged.verdict, judged.rate_milli_per_s) == (Verdict.UNKNOWN, None)


async def test_what_another_deployment_served_is_not_counted(stage: ServingWorld, world: World) -> None:
    context = create_record(world.left.key, world.price, world.left.replica, world.gateway).context
    strange = replace(context, deployment_id=DeploymentId(world.right.deployment.id))
    started = await stage.start()
    running = await stage.run_until(started, lambda found: found.state is ServingState.RUNNING)
    assert running.key_id is not None
    stage.gateway.habits.record_changes = {"context": replace(strange, key_id=running.key_id)}
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert judged.flags == (FLAG.NO_TOKENS, FLAG.SERVED_ELSEWHERE)
    assert judged.verdict is Verdict.UNKNOWN


async def test_estimated_tokens_are_flagged(stage: ServingWorld) -> None:
    stage.gateway.habits.record_changes = {"usage_source": UsageSource.ESTIMATED}
    assert (await stage.run()).flags == (FLAG.ESTIMATED,)


async def test_restart_interrupts_and_ends_the_key(stage: ServingWorld) -> None:
    started = await stage.start()
    await stage.run_until(started, lambda found: found.state is ServingState.RUNNING)
    stage.restart()
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert (judged.verdict, judged.flags) == (Verdict.UNKNOWN, (FLAG.INTERRUPTED,))
    assert "restarted" in judged.message
    assert (await stage.get_key(judged)).revoked_at is not None


async def test_challenge_that_was_never_begun_is_judged_at_its_deadline(stage: ServingWorld) -> None:
    started = await stage.start()
    stage.clock.ahead += timedelta(seconds=CHALLENGE_WAIT_S)
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert (judged.flags, judged.key_id, judged.steps) == ((FLAG.INTERRUPTED,), None, ())
    assert (await count_actions(stage.control))["key.created"] == 0


async def test_key_ends_at_the_deadline_whatever_goes_wrong(
    stage: ServingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = await stage.start()
    running = await stage.run_until(started, lambda found: found.state is ServingState.RUNNING)

    async def fail(*_: object) -> None:
        raise StorageUnavailable("a defect of the load")

    monkeypatch.setattr("keisan.control.reconcilers.serving_challenge.run_step", fail)
    for _ in range(3):
        stage.clock.ahead += timedelta(seconds=20)
        await stage.acknowledge()
        await stage.loop.run_round()
    assert (await stage.get(started)).state is ServingState.RUNNING
    stage.clock.ahead = running.due_at - stage.clock.now() + stage.clock.ahead + timedelta(hours=1)
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert judged.flags == (FLAG.INTERRUPTED,)
    assert (await stage.get_key(judged)).revoked_at is not None


async def test_gateway_that_is_gone_is_told_and_nothing_is_made_up(stage: ServingWorld) -> None:
    started = await stage.start()
    stage.control = replace(stage.control, find_gateway=lambda: None)
    stage.restart()
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert (judged.message, judged.verdict) == ("gateway_unknown", Verdict.UNKNOWN)
    assert judged.flags == (FLAG.CALLS_FAILED, FLAG.NO_TOKENS)
    assert (await stage.get_key(judged)).revoked_at is not None


async def test_key_that_somebody_revoked_fails_calls_and_stays_revoked(stage: ServingWorld) -> None:
    started = await stage.start()
    running = await stage.run_until(started, lambda found: found.state is ServingState.RUNNING)
    key = await stage.get_key(running)
    async with stage.control.storage.write() as transaction:
        await transaction.keys.update(replace(key, revoked_at=stage.clock.now(), version=key.version + 1))
    judged = await stage.run_until(started, lambda found: found.state is ServingState.JUDGED)
    assert (judged.message, judged.verdict) == ("invalid_api_key", Verdict.UNKNOWN)
    assert (await stage.get_key(judged)).version == key.version + 1


async def test_challenge_that_is_not_there_is_no_work(stage: ServingWorld) -> None:
    async with stage.control.storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.SERVING_CHALLENGE, create_id(), stage.clock.now())
    assert await stage.loop.run_round() == 1
    assert await stage.loop.run_round() == 0
