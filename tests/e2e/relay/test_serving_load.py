"""The load of a serving challenge through a real gateway: engines that count what they streamed, and such as count more."""

from dataclasses import replace
from uuid import UUID

import pytest

from keisan.control.serving_load import LoadStep, run_step
from keisan.domain.challenge_rule import ChallengeTerms
from keisan.domain.ids import RecordId
from keisan.domain.serving_challenge import ServingFlag
from keisan.domain.serving_challenge_rule import StepSeen, is_recorded, judge_serving, measure_step
from keisan.domain.usage import UsageRecord
from keisan.domain.verdict import Verdict
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget
from keisan.wire.usage_record import RecordParser
from tests.deadline import let_time_pass_async, wait_until_async
from tests.domain.samples import NOW
from tests.domain.serving_samples import WORK, build_serving_challenge
from tests.e2e.relay import engine
from tests.e2e.relay.engine import (
    END,
    LAST_CHUNK,
    STREAM_HEAD,
    Asked,
    Script,
    build_event,
    build_usage_event,
    wrap_chunk,
)
from tests.e2e.relay.snapshot import API_KEY, MODEL
from tests.e2e.relay.stage import Setting, Stage, run_stage

pytestmark = pytest.mark.e2e
TOKENS = 16
PAUSE_S = 0.005
# What is asked here is counts: however long a busy host takes, it is not too long.
PATIENT_WORK = replace(WORK, step_s=1, first_token_ms=60_000)
PATIENT_TERMS = ChallengeTerms(told_slack_s=60.0)


def build_script(factor: int) -> Script:
    """Return an engine that streams a token at a time and counts `factor` for each, in its running count and its last word."""

    async def answer(asked: Asked) -> None:
        await asked.send(STREAM_HEAD)
        for position in range(1, TOKENS + 1):
            await let_time_pass_async(PAUSE_S)
            await asked.send(wrap_chunk(build_event(factor * position, "tok ")))
        await asked.send(wrap_chunk(build_usage_event(factor * TOKENS)) + wrap_chunk(END) + LAST_CHUNK)

    return answer


async def load(stage: Stage, concurrency: int) -> tuple[StepSeen, dict[RecordId, UsageRecord]]:
    """Run one step, and wait for its records as the gateway hands them in."""
    host, port = stage.gateway.address
    target = HttpTarget(f"http://{host}:{port}", bearer=API_KEY)
    seen = await run_step(target, LoadStep(PATIENT_WORK, MODEL, 0, concurrency), SystemClock())

    def read_records() -> dict[RecordId, UsageRecord]:
        parser = RecordParser()
        return {RecordId(UUID(name)): parser.parse(text) for name, text in stage.platform.texts.items()}

    await wait_until_async(lambda: is_recorded(seen, read_records()), "all records are here", 30.0)
    return seen, read_records()


@pytest.mark.parametrize(
    ("factor", "verdict", "flags"),
    [
        (1, Verdict.OK, ()),
        (3, Verdict.UNKNOWN, (ServingFlag.FEW_PIECES,)),
        (10, Verdict.FAILED, (ServingFlag.TOLD_MORE, ServingFlag.FEW_PIECES)),
    ],
)
async def test_engine_that_counts_more_than_it_streamed_is_noticed(
    factor: int, verdict: Verdict, flags: tuple[ServingFlag, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # These prompts do not end with a number.
    monkeypatch.setattr(engine, "read_number", lambda _: 0)
    async with run_stage(Setting(build_script(factor))) as stage:
        seen, records = await load(stage, 2)
    context = records[next(iter(records))].context
    challenge = build_serving_challenge(deployment_id=context.deployment_id, site_id=context.site_id, work=PATIENT_WORK)
    step = measure_step(challenge, seen, records)
    assert (step.output_tokens, step.piece_count) == (factor * TOKENS * step.call_count, TOKENS * step.call_count)
    assert step.first_token_p95_us is not None
    # The gateway's time is within the platform's own.
    assert all(
        records[call.record_id].duration_us <= call.elapsed_us + 1000
        for call in seen.calls
        if call.record_id is not None
    )
    judged = judge_serving(replace(challenge, steps=(step,)), NOW, PATIENT_TERMS)
    assert (judged.verdict, judged.flags) == (verdict, flags)
    assert judged.rate_milli_per_s == (step.rate_milli_per_s if verdict is Verdict.OK else None)
