"""kill -9 of the gateway at random moments: every call whose last byte arrived has its record, and none has two.

KEISAN_TEST_RELAY_CALLS sets how many calls complete (100,000 take some minutes), KEISAN_TEST_SEED repeats the moments.
"""

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.relay.client import CutShortError, KeepAliveClient, build_request
from tests.e2e.relay.engine import PROMPT_CACHED, PROMPT_COMPUTED, Asked, build_answer
from tests.e2e.relay.stage import Setting, Stage, run_stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3_600)]
CALLS = int(os.environ.get("KEISAN_TEST_RELAY_CALLS", "4000"))
CLIENTS = 16
TOKENS_MAX = 8
# A gateway lives so long at most; between a tenth of its calls and all of them are under way when it dies.
LIFE_S_MAX = 3.0
KILLS_MIN = 3


@dataclass(slots=True)
class Tally:
    """What the clients saw: the ids of the calls that arrived to their last byte, and how many tokens each told of."""

    completed: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    kills: int = 0

    def is_over(self) -> bool:
        """Tell whether enough calls completed."""
        return len(self.completed) >= CALLS and self.kills >= KILLS_MIN


async def speak(asked: Asked) -> None:
    """Answer as many tokens as the call's number says."""
    count = 1 + asked.number % TOKENS_MAX
    if asked.body.get("stream"):
        await asked.stream(count)
    else:
        await asked.answer(build_answer(count), count)


async def run_client(stage: Stage, tally: Tally, source: random.Random) -> None:
    """Call until it is over; what does not complete is counted and not repeated."""
    client = KeepAliveClient(stage.gateway.address)
    while not tally.is_over():
        number = source.randrange(1_000)
        try:
            answer = await client.call(build_request(number, is_stream=source.random() < 0.5))
        except (CutShortError, OSError):
            tally.failures += 1
            await let_time_pass_async(0.02)
            continue
        if (answer.status, answer.code) != (200, None):
            tally.failures += 1
            continue
        assert answer.record_id not in tally.completed
        tally.completed[answer.record_id] = 1 + number % TOKENS_MAX
    client.close()


async def run_killer(stage: Stage, tally: Tally, source: random.Random) -> None:
    """Kill and start again at random moments until it is over."""
    while not tally.is_over():
        await let_time_pass_async(source.uniform(0.0, LIFE_S_MAX))
        stage.gateway.kill()
        tally.kills += 1
        assert "panicked" not in stage.gateway.read_log(), stage.gateway.read_log()
        await stage.restart()


def check_records(stage: Stage, tally: Tally, context: str) -> None:
    """Assert that nothing was lost, doubled or made up, and that each record says what its engine says."""
    records = stage.platform.records
    lost = [record_id for record_id in tally.completed if record_id not in records]
    assert not lost, f"{len(lost)} records are lost: {context}"
    assert set(records) <= set(stage.engine.log), f"records of calls that no engine knows: {context}"
    for record_id, count in tally.completed.items():
        record = records[record_id]
        expected = {"input": PROMPT_COMPUTED, "input_cached": PROMPT_CACHED, "output": count}
        assert (record["quantities"], record["outcome"]) == (expected, "completed"), context
    for record_id, record in records.items():
        assert record["quantities"].get("output", 0) <= stage.engine.count_produced(record_id).tokens, context


async def test_kill_nine_loses_and_doubles_nothing(record_property: Callable[[str, object], None]) -> None:
    seed = int(os.environ.get("KEISAN_TEST_SEED", random.SystemRandom().randrange(2**32)))
    source, tally = random.Random(seed), Tally()
    async with run_stage(Setting(script=speak, has_fixed_port=True)) as stage:
        await stage.settle()
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(run_client(stage, tally, random.Random(source.randrange(2**32))))
            group.create_task(run_killer(stage, tally, source))
        await stage.wait_until_quiet()
        await wait_until_async(lambda: set(tally.completed) <= set(stage.platform.records), "records are here", 30.0)
        repeats = stage.platform.repeats.total()
        context = f"seed {seed}, {len(tally.completed)} completed, {tally.failures} not, {tally.kills} kills, {repeats} repeats"
        record_property("outcome", context)
        check_records(stage, tally, context)
        await stage.check_sound()
