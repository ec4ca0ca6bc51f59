"""A wall clock that steps by an hour, either way, amid calls: records follow it, and no time-out and no duration does."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from tests.deadline import wait_until_async
from tests.e2e.relay.client import Answer
from tests.e2e.relay.engine import END, LAST_CHUNK, STREAM_HEAD, Asked, build_usage_event, wrap_chunk
from tests.e2e.relay.stage import Setting, Stage, answer_plainly, run_stage
from tests.e2e.relay.wall_clock import WallClock, build_wall_clock

pytestmark = [pytest.mark.e2e, pytest.mark.waits, pytest.mark.asyncio(loop_scope="module")]
HOUR_S, DAY_S = 3_600, 86_400
STEPS_S = (HOUR_S, -HOUR_S)
IDLE_TIMEOUT_S = 5
# How far a record's time may be from the test's own: what a call and a busy machine take.
TOLERANCE_S = 30


@dataclass(slots=True)
class Scene:
    """A stage whose gateway lives by a clock that the test sets."""

    stage: Stage
    clock: WallClock


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A gateway with a clock of its own."""
    clock = build_wall_clock(tmp_path_factory.mktemp("clock"))
    limits = {"stream_idle_timeout_s": IDLE_TIMEOUT_S, "first_byte_timeout_s": IDLE_TIMEOUT_S}
    async with run_stage(Setting(limits=limits, environment=clock.environment)) as stage:
        await stage.settle()
        yield Scene(stage, clock)
        await stage.check_sound()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared_scene: Scene) -> AsyncIterator[Scene]:
    """The same, its clock in step with the system's at the start."""
    shared_scene.stage.engine.script = answer_plainly
    yield shared_scene
    shared_scene.clock.step(0)
    await shared_scene.stage.check_call()


def check_time(record: dict[str, Any], offset_s: int) -> None:
    """Assert that a record's times are those of a clock that is off by so much, and its duration is of no clock."""
    admitted_s = record["admitted_at_ms"] / 1_000
    assert abs(admitted_s - (time.time() + offset_s)) < TOLERANCE_S, record
    assert record["day"] == str(datetime.fromtimestamp(admitted_s, UTC).date())
    # The id begins with its wall time (UUIDv7).
    assert UUID(record["record_id"]).int >> 80 == record["admitted_at_ms"]
    assert 0 < record["duration_us"] < TOLERANCE_S * 1_000_000
    assert 0 < record["first_byte_us"] <= record["duration_us"]


async def test_records_follow_the_wall_clock(scene: Scene) -> None:
    seen: set[str] = set()
    for offset_s in (0, *STEPS_S, 0, *STEPS_S):
        scene.clock.step(offset_s)
        for is_stream in (False, True):
            answer = await scene.stage.call(1, is_stream=is_stream)
            check_time(await scene.stage.wait_for_record(answer.record_id), offset_s)
            seen.add(answer.record_id)
        health = await scene.stage.gateway.read_health()
        assert (health["status"], health["snapshot"]["age_s"] >= 0) == ("ok", True)
    assert len(seen) == 12


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_open_stream_lives_through_a_step(scene: Scene, step_s: int) -> None:
    async def speak(asked: Asked) -> None:
        await asked.send(STREAM_HEAD)
        for position in range(1, 5):
            await asked.send_token(position)
            scene.clock.step(step_s * (position % 2))
        await asked.send(wrap_chunk(build_usage_event(4)) + wrap_chunk(END) + LAST_CHUNK)

    scene.stage.engine.script = speak
    answer = await scene.stage.call(1, is_stream=True)
    assert answer.body.endswith(END)
    record = await scene.stage.wait_for_record(answer.record_id)
    assert (record["outcome"], record["quantities"]["output"]) == ("completed", 4)
    check_time(record, 0)


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize("is_stream", [True, False])
async def test_step_makes_no_time_out_earlier_or_later(scene: Scene, step_s: int, is_stream: bool) -> None:
    is_asked = asyncio.Event()

    async def stall(asked: Asked) -> None:
        if is_stream:
            await asked.send(STREAM_HEAD)
            await asked.send_token(1)
        is_asked.set()
        await asked.wait_until_closed()

    async def step() -> None:
        await is_asked.wait()
        scene.clock.step(step_s)

    scene.stage.engine.script = stall
    began_s = time.monotonic()
    calling = scene.stage.call(1, is_stream=is_stream)
    answer, _ = await asyncio.gather(calling, step())
    waited_s = time.monotonic() - began_s
    assert answer.code == "engine_timeout"
    assert IDLE_TIMEOUT_S - 0.1 < waited_s < TOLERANCE_S
    record = await scene.stage.wait_for_record(answer.record_id)
    assert IDLE_TIMEOUT_S * 1_000_000 <= record["duration_us"] + 100_000 < TOLERANCE_S * 1_000_000


async def test_call_belongs_to_the_day_on_which_it_was_admitted(scene: Scene) -> None:
    now_s = int(time.time())
    before_s = now_s - now_s % DAY_S + DAY_S - TOLERANCE_S - now_s
    today, tomorrow = (str(datetime.fromtimestamp(now_s + days * DAY_S, UTC).date()) for days in (0, 1))
    scene.clock.step(before_s)

    async def speak_past_midnight(asked: Asked) -> None:
        await asked.send(STREAM_HEAD)
        scene.clock.step(before_s + 2 * TOLERANCE_S)
        await asked.send(wrap_chunk(build_usage_event(4)) + wrap_chunk(END) + LAST_CHUNK, 4)

    scene.stage.engine.script = speak_past_midnight
    over = await scene.stage.call(1, is_stream=True)
    scene.stage.engine.script = answer_plainly
    after: Answer = await scene.stage.call(2)
    records = scene.stage.platform.records
    await wait_until_async(lambda: {over.record_id, after.record_id} <= set(records), "both records are here")
    assert (records[over.record_id]["day"], records[after.record_id]["day"]) == (today, tomorrow)
