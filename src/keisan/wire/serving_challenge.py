"""Serving challenges on the wire: what people start and see."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.limits import (
    SERVING_CONCURRENCY_MAX,
    SERVING_DRAIN_S,
    SERVING_OUTPUT_TOKENS_MAX,
    SERVING_STEP_S_MAX,
)
from keisan.domain.serving_challenge import ServingFlag, ServingState
from keisan.domain.verdict import Verdict
from keisan.wire.base import INTEGER_MAX, WireInput, WireView


class ServingChallengeStart(WireInput):
    """Challenge a deployment's replicas at a site by calls through a gateway, ever more at a time.

    `site_id` may be left out if its ready replicas are all at one site, `project_id`, which pays, if it is the asker's own.
    Each step takes new calls for `step_s`; it holds if the first token of 95 of 100 calls came within `first_token_ms`.
    `claim_milli_per_s` is what the replicas are said to reach, in thousandths of a token per second.
    """

    deployment_id: UUID
    site_id: UUID | None = None
    project_id: UUID | None = None
    # A call that is cut has waited for the drain at least: a longer limit could not be told from a shorter one.
    first_token_ms: Annotated[int, Field(ge=1, le=SERVING_DRAIN_S * 1000)] = 2000
    step_s: Annotated[int, Field(ge=1, le=SERVING_STEP_S_MAX)] = SERVING_STEP_S_MAX
    output_tokens_max: Annotated[int, Field(ge=1, le=SERVING_OUTPUT_TOKENS_MAX)] = 64
    concurrency_max: Annotated[int, Field(ge=1, le=SERVING_CONCURRENCY_MAX)] = 64
    claim_milli_per_s: Annotated[int, Field(ge=1, le=INTEGER_MAX)] | None = None


class ServingWorkView(WireView):
    """What is asked; prompts follow from the seed, which is empty until the challenge is judged."""

    seed: str
    first_token_ms: int
    step_s: int
    output_tokens_max: int
    concurrency_max: int


class ServingStepView(WireView):
    """What so many calls at a time came to: tokens and times by usage records, beside what the platform saw of the same calls."""

    concurrency: int
    call_count: int
    failed_count: int
    missing_count: int
    elsewhere_count: int
    estimated_count: int
    output_tokens: int
    piece_count: int
    text_bytes: int
    first_token_p50_us: int | None
    first_token_p95_us: int | None
    told_p95_us: int | None
    elapsed_us: int
    rate_milli_per_s: int
    is_held: bool


class ServingChallengeView(WireView):
    """A serving challenge as the API shows it; `rate_milli_per_s` is thousandths of a token per second, null if none is proved."""

    id: UUID
    platform_id: str
    site_id: UUID
    deployment_id: UUID
    model_id: UUID
    project_id: UUID
    key_id: UUID | None
    asked_by: UUID
    work: ServingWorkView
    claim_milli_per_s: int | None
    state: ServingState
    due_at: datetime
    steps: tuple[ServingStepView, ...]
    replica_ids: tuple[UUID, ...]
    message: str
    verdict: Verdict
    flags: tuple[ServingFlag, ...]
    rate_milli_per_s: int | None
    concurrency: int | None
    judged_at: datetime | None
    version: int
    created_at: datetime
