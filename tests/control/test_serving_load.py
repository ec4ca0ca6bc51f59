"""The calls of a step: begun within its time, cut at its end, and seen by the platform's own clock."""

import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from keisan.control import serving_load
from keisan.control.serving_load import UNREACHABLE, LoadStep, run_step
from keisan.domain.key import create_secret, digest_secret
from keisan.domain.serving_challenge_rule import CUT, StepSeen
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget
from keisan.storage.database import Database
from tests.control.small_gateway import SmallGateway, run_small_gateway
from tests.domain.serving_samples import WORK
from tests.factories import World, create_key

SECRET = create_secret()
STEP = LoadStep(replace(WORK, step_s=1), "some-model", 3, 2)


@pytest.fixture
async def gateway(storage: Database, world: World) -> AsyncIterator[SmallGateway]:
    """A gateway that knows the secret of these tests."""
    async with storage.write() as transaction:
        key = create_key(world.left.project)
        await transaction.keys.insert(replace(key, digest=digest_secret(SECRET)))
    async with run_small_gateway(storage, world) as gateway:
        yield gateway


async def load(gateway: SmallGateway, **changes: object) -> StepSeen:
    step = replace(STEP, **changes)  # type: ignore[arg-type]  # fields by name
    return await run_step(replace(gateway.target, bearer=SECRET.reveal()), step, SystemClock())


async def test_calls_follow_one_another_by_so_many_callers(gateway: SmallGateway) -> None:
    # Long enough that all three are under way at once on any host.
    gateway.habits.first_wait_s = 0.2
    seen = await load(gateway, concurrency=3, work=replace(WORK, step_s=5))
    assert gateway.open_calls_most == 3
    assert len(seen.calls) == len(gateway.bodies) >= 6
    assert 5_000_000 <= seen.elapsed_us < 14_500_000
    for call in seen.calls:
        assert (call.code, call.piece_count, call.text_bytes) == ("", 8, 40)
        assert call.first_text_us is not None
        assert 20_000 <= call.first_text_us <= call.elapsed_us
    assert len({call.record_id for call in seen.calls}) == len(seen.calls)
    body = gateway.bodies[0]
    assert (body["model"], body["stream"], body["max_tokens"]) == ("some-model", True, 64)


async def test_what_is_under_way_at_the_end_is_cut_and_its_pieces_count(
    gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_load, "SERVING_DRAIN_S", 2)
    gateway.habits.piece_wait_s, gateway.habits.piece_count = 0.1, 1000
    seen = await load(gateway, work=replace(WORK, step_s=5))
    assert [call.code for call in seen.calls] == [CUT, CUT]
    assert all(0 < call.piece_count < 80 and call.record_id is not None for call in seen.calls)
    assert 6_900_000 <= seen.elapsed_us < 30_000_000


async def test_caller_that_is_refused_makes_no_more_calls(gateway: SmallGateway) -> None:
    gateway.habits.calls_max = 0
    seen = await load(gateway)
    assert [(call.code, call.record_id) for call in seen.calls] == [("engine_overloaded", None)] * 2


async def test_calls_have_a_bound(gateway: SmallGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_load, "SERVING_CALLS_MAX", 3)
    seen = await load(gateway, work=replace(WORK, step_s=5))
    assert 3 <= len(seen.calls) <= 4


async def test_gateway_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    seen = await run_step(HttpTarget(f"http://127.0.0.1:{port}", "x"), STEP, SystemClock())
    assert [call.code for call in seen.calls] == [UNREACHABLE] * 2


async def test_step_that_begins_when_its_time_is_over_has_a_call_of_each_caller(gateway: SmallGateway) -> None:
    """A host may stand still for as long as a step is; a step without calls would say that the engine gives nothing."""
    seen = await load(gateway, concurrency=3, work=replace(WORK, step_s=0))
    assert [call.code for call in seen.calls] == [""] * 3
