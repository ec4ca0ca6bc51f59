"""A serving challenge: calls with fresh prompts through a gateway, ever more of them at a time, counted by their usage records.

planned -> running -> judged; planned -> judged where nothing was run. Its calls are made with a key of its own.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import (
    DeploymentId,
    KeyId,
    ModelId,
    PlatformId,
    ProjectId,
    RecordId,
    ReplicaId,
    ServingChallengeId,
    SiteId,
)
from keisan.domain.verdict import Verdict


class ServingState(StrEnum):
    """Where a serving challenge is in its life."""

    PLANNED = "planned"
    RUNNING = "running"
    JUDGED = "judged"


class ServingFlag(StrEnum):
    """What was noticed of a serving challenge; each has a stable code; some disprove the claim, some leave it open."""

    INTERRUPTED = "interrupted"
    CALLS_FAILED = "calls_failed"
    RECORDS_MISSING = "records_missing"
    NO_TOKENS = "no_tokens"
    SERVED_ELSEWHERE = "served_elsewhere"
    SLOW_FIRST_TOKEN = "slow_first_token"
    TOLD_MORE = "told_more"
    FEW_PIECES = "few_pieces"
    TOLD_SHORTER = "told_shorter"
    ESTIMATED = "estimated"
    BELOW_CLAIM = "below_claim"
    ABOVE_CLAIM = "above_claim"


_S = ServingState
SERVING_TRANSITIONS: dict[ServingState, frozenset[ServingState]] = {
    _S.PLANNED: frozenset({_S.RUNNING, _S.JUDGED}),
    _S.RUNNING: frozenset({_S.JUDGED}),
    _S.JUDGED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class ServingWork:
    """What is asked: prompts made from `seed`, answers of at most `output_tokens_max`, new calls for `step_s` at each concurrency.

    A step holds if its first tokens come within `first_token_ms` for 95 of 100 calls.
    """

    seed: str
    first_token_ms: int
    step_s: int
    output_tokens_max: int
    concurrency_max: int


@dataclass(frozen=True, slots=True)
class SeenCall:
    """What the platform itself saw of one call, by its own clock.

    `record_id` is None where the gateway named none. `code` is empty for an answer that came whole, "cut" for one that the
    platform ended since the step's time was over, else the error's.
    """

    record_id: RecordId | None
    first_text_us: int | None
    elapsed_us: int
    piece_count: int
    text_bytes: int
    code: str


@dataclass(frozen=True, slots=True)
class ServingStep:
    """What so many calls at a time came to. Tokens, pieces of text and bytes are of the deployment's own calls.

    `first_token_p50_us` and `first_token_p95_us` take the later of what record and platform say of each call,
    `told_p95_us` the record alone; None if no call came so far. `rate_milli_per_s` is thousandths of a token per second,
    over all the time from the step's begin to the end of its last call.
    """

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


@dataclass(frozen=True, slots=True)
class ServingChallenge:
    """`rate_milli_per_s` is the highest rate of a step that held, None unless the verdict rests on one; `concurrency` is that step's.

    `claim_milli_per_s` is what the deployment is said to reach at the site, None if nothing. The calls are paid by
    `project_id`, by way of the key `key_id`, which is in force while the challenge runs. `replica_ids` are those that the
    records name.
    """

    id: ServingChallengeId
    platform_id: PlatformId
    site_id: SiteId
    deployment_id: DeploymentId
    model_id: ModelId
    project_id: ProjectId
    key_id: KeyId | None
    asked_by: KeyId
    work: ServingWork
    claim_milli_per_s: int | None
    state: ServingState
    due_at: datetime
    steps: tuple[ServingStep, ...]
    replica_ids: tuple[ReplicaId, ...]
    message: str
    verdict: Verdict
    flags: tuple[ServingFlag, ...]
    rate_milli_per_s: int | None
    concurrency: int | None
    judged_at: datetime | None
    version: int
    created_at: datetime


def can_move_serving(before: ServingState, after: ServingState) -> bool:
    """Tell whether the state table has this transition."""
    return after in SERVING_TRANSITIONS[before]
