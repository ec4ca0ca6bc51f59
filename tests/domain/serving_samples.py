"""A valid serving challenge and calls of it, varied by keyword."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from keisan.domain.ids import DeploymentId, KeyId, ModelId, ProjectId, RecordId, ServingChallengeId, SiteId
from keisan.domain.price import TokenClass
from keisan.domain.serving_challenge import SeenCall, ServingChallenge, ServingState, ServingStep, ServingWork
from keisan.domain.usage import UsageRecord, UsageSource
from keisan.domain.verdict import Verdict
from tests.domain.samples import NOW, PLATFORM_ID, build_record, name_id

WORK = ServingWork(seed="5eed", first_token_ms=2000, step_s=5, output_tokens_max=64, concurrency_max=64)
STEP = ServingStep(
    concurrency=1,
    call_count=10,
    failed_count=0,
    missing_count=0,
    elsewhere_count=0,
    estimated_count=0,
    output_tokens=640,
    piece_count=640,
    text_bytes=2500,
    first_token_p50_us=200_000,
    first_token_p95_us=400_000,
    told_p95_us=390_000,
    elapsed_us=5_000_000,
    rate_milli_per_s=128_000,
    is_held=True,
)


def build_serving_challenge(**changes: Any) -> ServingChallenge:
    """Return a serving challenge that is running and has no step yet."""
    challenge = ServingChallenge(
        id=ServingChallengeId(name_id(51)),
        platform_id=PLATFORM_ID,
        site_id=SiteId(name_id(52)),
        deployment_id=DeploymentId(name_id(53)),
        model_id=ModelId(name_id(54)),
        project_id=ProjectId(name_id(55)),
        key_id=None,
        asked_by=KeyId(name_id(56)),
        work=WORK,
        claim_milli_per_s=None,
        state=ServingState.RUNNING,
        due_at=NOW + timedelta(seconds=600),
        steps=(),
        replica_ids=(),
        message="",
        verdict=Verdict.UNKNOWN,
        flags=(),
        rate_milli_per_s=None,
        concurrency=None,
        judged_at=None,
        version=1,
        created_at=NOW,
    )
    return replace(challenge, **changes)


def build_call(number: int, **changes: Any) -> SeenCall:
    """Return a call of 10 tokens in 10 pieces that came whole."""
    call = SeenCall(
        record_id=RecordId(name_id(57, number)),
        first_text_us=100_000,
        elapsed_us=500_000,
        piece_count=10,
        text_bytes=40,
        code="",
    )
    return replace(call, **changes)


def build_call_record(
    challenge: ServingChallenge, call: SeenCall, tokens: int = 10, **changes: Any
) -> tuple[RecordId, UsageRecord]:
    """Return the record of a call by its id: served by the challenged deployment, and counted by its engine."""
    assert call.record_id is not None
    record = build_record()
    context = replace(record.context, deployment_id=challenge.deployment_id, site_id=challenge.site_id)
    quantities: Mapping[TokenClass, int] = {TokenClass.INPUT: 50, TokenClass.OUTPUT: tokens}
    own = record._replace(
        id=call.record_id,
        context=context,
        quantities=quantities,
        first_byte_us=90_000,
        usage_source=UsageSource.ENGINE,
    )
    return call.record_id, own._replace(**changes)
