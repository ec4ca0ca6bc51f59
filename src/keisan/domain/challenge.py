"""A challenge: work with a fresh seed that one device is given, timed by the platform alone and checked when answered.

planned -> issued -> committed -> answered -> judged; every state but judged -> judged, once the deadline is over. All
devices of a node are challenged in one round, at once.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import ChallengeId, ChallengeRoundId, DeviceId, KeyId, NodeId, PlatformId, SiteId
from keisan.domain.verdict import Verdict


class Workload(StrEnum):
    """What is asked of a device: products of matrices in one precision, or passes over memory."""

    FP64 = "fp64"
    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"
    MEMORY = "memory"


class ChallengeState(StrEnum):
    """Where a challenge is in its life."""

    PLANNED = "planned"
    ISSUED = "issued"
    COMMITTED = "committed"
    ANSWERED = "answered"
    JUDGED = "judged"


class ChallengeFlag(StrEnum):
    """What was noticed of an answer; each has a stable code; some disprove the claim."""

    UNABLE = "unable"
    NO_ANSWER = "no_answer"
    UNCHECKED = "unchecked"
    WRONG_ANSWER = "wrong_answer"
    REPLAYED = "replayed"
    COPIED = "copied"
    BELOW_CLAIM = "below_claim"
    BELOW_PEERS = "below_peers"
    ABOVE_CLAIM = "above_claim"
    ONE_AFTER_ANOTHER = "one_after_another"
    TOLD_SHORTER = "told_shorter"


_S = ChallengeState
CHALLENGE_TRANSITIONS: dict[ChallengeState, frozenset[ChallengeState]] = {
    _S.PLANNED: frozenset({_S.ISSUED, _S.JUDGED}),
    _S.ISSUED: frozenset({_S.COMMITTED, _S.ANSWERED, _S.JUDGED}),
    _S.COMMITTED: frozenset({_S.ANSWERED, _S.JUDGED}),
    _S.ANSWERED: frozenset({_S.JUDGED}),
    _S.JUDGED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class ChallengeWork:
    """What is computed from a seed.

    For a precision `count` products of `width` x `width`; for memory `count` rounds over `width` words of 4 bytes.
    """

    workload: Workload
    width: int
    count: int
    seed: str


@dataclass(frozen=True, slots=True)
class Peers:
    """What devices of the same chip reached in the same work: how many, their median, and half the middle half's width."""

    count: int
    median_per_s: int
    spread_per_s: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """`rate_per_s` is operations or bytes per second by the platform's own time, None unless the answer was right.

    `claim_per_s` is what it is compared with, None if nothing is claimed. `commitment` is the root over the whole result,
    hex; `positions` are drawn after it. `told_us` is how long the agent says it took, None of work that it refused:
    shown, never believed. `answered_at` is when its answer came, before anything of it was checked.
    `asked_by` is the key that asked for the round, None if the platform chose the time by itself.
    """

    id: ChallengeId
    platform_id: PlatformId
    round_id: ChallengeRoundId
    site_id: SiteId
    node_id: NodeId
    device_id: DeviceId
    hardware_id: str
    chip: str
    work: ChallengeWork
    claim_per_s: int | None
    asked_by: KeyId | None
    state: ChallengeState
    issued_at: datetime | None
    due_at: datetime
    commitment: str
    positions: tuple[int, ...]
    committed_at: datetime | None
    answered_at: datetime | None
    told_us: int | None
    message: str
    verdict: Verdict
    flags: tuple[ChallengeFlag, ...]
    rate_per_s: int | None
    peers: Peers | None
    judged_at: datetime | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MeasuredDevice:
    """What one device did in one workload, in operations or bytes per second, as its last right answer proved."""

    site_id: SiteId
    hardware_id: str
    workload: Workload
    rate_per_s: int


@dataclass(frozen=True, slots=True)
class VerifiedCapacity:
    """What the last challenges of a site's devices of one chip proved in one workload.

    Of `device_count` devices that were judged, `verified_count` did the work as claimed: the sums are over these alone, in
    millions of operations or bytes per second. The claims are None if one of them claims nothing. The times are those of the
    oldest and the newest judgement.
    """

    site_id: SiteId
    chip: str
    workload: Workload
    device_count: int
    verified_count: int
    rate_mega_per_s: int
    claim_mega_per_s: int | None
    oldest_at: datetime
    newest_at: datetime


def can_move_challenge(before: ChallengeState, after: ChallengeState) -> bool:
    """Tell whether the state table has this transition."""
    return after in CHALLENGE_TRANSITIONS[before]
