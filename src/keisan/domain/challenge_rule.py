"""The rules of challenges, on values: how much work is asked, what time it took, and what a round's answers prove."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median, quantiles

from keisan.domain.challenge import Challenge, ChallengeFlag, ChallengeState, ChallengeWork, Peers, Workload
from keisan.domain.ids import ChallengeId
from keisan.domain.limits import (
    CHALLENGE_CHECK_WAIT_S,
    CHALLENGE_COUNT_MAX,
    CHALLENGE_DEADLINE_S_MIN,
    CHALLENGE_HEARD_S,
    CHALLENGE_WIDTHS,
    CHALLENGE_WORDS,
)
from keisan.domain.verdict import Verdict

WORD_BYTES = 4
# Passes of the memory workload: each reads two words and writes one. A pass is preceded by the first write and followed by
# the last read of all.
MEMORY_PASSES = 6
MEMORY_WORDS_PER_ELEMENT = 3 * MEMORY_PASSES + 2
# What is asked of a device that claims nothing: a second or so of two cores of 2020, and of their memory.
UNCLAIMED_PER_S = {Workload.MEMORY: 5_000_000_000}
UNCLAIMED_OPERATIONS_PER_S = 50_000_000_000
COUNT_MIN = 4
DEADLINE_SHARE = 20
FAILING = frozenset(
    {
        ChallengeFlag.NO_ANSWER,
        ChallengeFlag.WRONG_ANSWER,
        ChallengeFlag.REPLAYED,
        ChallengeFlag.COPIED,
        ChallengeFlag.BELOW_CLAIM,
        ChallengeFlag.ONE_AFTER_ANOTHER,
    }
)


@dataclass(frozen=True, slots=True)
class ChallengeTerms:
    """From which share on something is noticed. `target_s` is how long the work takes a device that does as it claims.

    A product that other work surrounds reaches about two thirds of a chip's nominal figure: half of it is not yet a lie.
    `widths` are those of matrices, and `words` those of memory in words of 4 bytes, smallest first.
    """

    target_s: float = 1.0
    widths: tuple[int, ...] = CHALLENGE_WIDTHS
    words: tuple[int, ...] = CHALLENGE_WORDS
    claim_share_min: float = 0.5
    claim_share_max: float = 1.1
    peer_share_min: float = 0.7
    peers_min: int = 3
    gap_share_min: float = 0.5
    told_share_min: float = 0.5
    told_slack_s: float = 0.5


@dataclass(frozen=True, slots=True)
class ScheduleTerms:
    """Each node is challenged once in `period_s` on the average, never for 0. Nodes with replicas only if it may disturb."""

    period_s: float
    may_disturb: bool = False
    workloads: tuple[Workload, ...] = (Workload.FP32, Workload.MEMORY)


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """What a round is judged by: when, when its site last spoke, and what others of each challenge's chip reached."""

    now: datetime
    heard_at: datetime | None
    peers_per_s: Mapping[ChallengeId, Sequence[int]]


def plan_work(
    workload: Workload, seed: str, claim_per_s: int | None, memory_bytes: int, terms: ChallengeTerms
) -> ChallengeWork:
    """Return the work that takes a device `target_s` if it does as it claims, and fits a quarter of its memory."""
    unclaimed = UNCLAIMED_PER_S.get(workload, UNCLAIMED_OPERATIONS_PER_S)
    wanted = (claim_per_s or unclaimed) * terms.target_s
    widths = terms.words if workload is Workload.MEMORY else terms.widths
    fitting = [width for width in widths if _count_held_bytes(workload, width) <= memory_bytes // 4] or widths[:1]
    counts = {width: math.ceil(wanted / count_work(ChallengeWork(workload, width, 1, seed))) for width in fitting}
    width = next((width for width in fitting if counts[width] <= CHALLENGE_COUNT_MAX), fitting[-1])
    least = 1 if workload is Workload.MEMORY else COUNT_MIN
    return ChallengeWork(workload, width, min(max(counts[width], least), CHALLENGE_COUNT_MAX), seed)


def _count_held_bytes(workload: Workload, width: int) -> int:
    return 2 * WORD_BYTES * width if workload is Workload.MEMORY else 4 * 8 * width * width


def count_work(work: ChallengeWork) -> int:
    """Return the operations (a multiply-add is two) or the bytes that must move for the work."""
    if work.workload is Workload.MEMORY:
        return work.count * work.width * WORD_BYTES * MEMORY_WORDS_PER_ELEMENT
    return 2 * work.count * work.width**3


def find_deadline(work: ChallengeWork, claim_per_s: int | None, terms: ChallengeTerms) -> timedelta:
    """Return how long an answer is waited for: far longer than the work takes a device of a twentieth of its claim."""
    unclaimed = UNCLAIMED_PER_S.get(work.workload, UNCLAIMED_OPERATIONS_PER_S)
    expected_s = max(count_work(work) / (claim_per_s or unclaimed), terms.target_s)
    return timedelta(seconds=CHALLENGE_DEADLINE_S_MIN + DEADLINE_SHARE * expected_s)


def is_round_over(challenges: Sequence[Challenge], now: datetime) -> bool:
    """Tell whether a round can be judged: each has been checked, or nothing is waited for any more."""
    return all(each.state is ChallengeState.ANSWERED or now >= find_end(each) for each in challenges)


def find_end(challenge: Challenge) -> datetime:
    """Return until when a challenge is waited for: its deadline, and a site that lives has spoken since.

    What came before its deadline is waited for until it is checked, within bounds: how long that takes is not its site's doing.
    """
    if challenge.answered_at is not None:
        return challenge.answered_at + timedelta(seconds=CHALLENGE_CHECK_WAIT_S)
    return challenge.due_at + timedelta(seconds=CHALLENGE_HEARD_S)


def judge_round(challenges: Sequence[Challenge], facts: RoundFacts, terms: ChallengeTerms) -> tuple[Challenge, ...]:
    """Return a round's challenges as they are judged together.

    A right answer's rate is by the time from the order to the commitment, both by the platform's clock. If the answers of a
    node's devices came one after another, one device may have given all of them: each is then timed by the last.
    """
    staggered = find_staggered(challenges, terms)
    last_us = max((measure_elapsed_us(each) for each in challenges if is_right(each)), default=0)
    rated = [_measure_rate(each, last_us if each.id in staggered else measure_elapsed_us(each)) for each in challenges]
    return tuple(_judge(each, rated, staggered, facts, terms) for each in rated)


def is_right(challenge: Challenge) -> bool:
    """Tell whether a challenge was answered and nothing was wrong with what was handed in."""
    return challenge.state is ChallengeState.ANSWERED and not challenge.flags


def measure_elapsed_us(challenge: Challenge) -> int:
    """Return the microseconds from the order to the commitment, at least one; 0 for a challenge without either."""
    if challenge.issued_at is None or challenge.committed_at is None:
        return 0
    return max((challenge.committed_at - challenge.issued_at) // timedelta(microseconds=1), 1)


def find_staggered(challenges: Sequence[Challenge], terms: ChallengeTerms) -> frozenset[ChallengeId]:
    """Return the challenges whose right answers came one after another, each as late after the one before as the first took.

    Devices that compute side by side answer together; the gaps between their answers are small beside the first's time.
    """
    staggered: set[ChallengeId] = set()
    for chip in {each.chip for each in challenges}:
        alike = sorted((each for each in challenges if each.chip == chip and is_right(each)), key=measure_elapsed_us)
        times_us = [measure_elapsed_us(each) for each in alike]
        gaps_us = [later - earlier for earlier, later in pairwise(times_us)]
        if gaps_us and median(gaps_us) >= terms.gap_share_min * times_us[0]:
            staggered |= {each.id for each in alike}
    return frozenset(staggered)


def summarize_peers(rates_per_s: Sequence[int]) -> Peers | None:
    """Return the median and the spread of what peers reached, None without peers."""
    if not rates_per_s:
        return None
    if len(rates_per_s) == 1:
        return Peers(1, rates_per_s[0], 0)
    low, middle, high = quantiles(rates_per_s, n=4, method="inclusive")
    return Peers(len(rates_per_s), round(middle), round((high - low) / 2))


def _measure_rate(challenge: Challenge, elapsed_us: int) -> Challenge:
    if not is_right(challenge) or not elapsed_us:
        return challenge
    return replace(challenge, rate_per_s=count_work(challenge.work) * 1_000_000 // elapsed_us)


def _judge(
    challenge: Challenge,
    rated: Sequence[Challenge],
    staggered: frozenset[ChallengeId],
    facts: RoundFacts,
    terms: ChallengeTerms,
) -> Challenge:
    beside = [
        each.rate_per_s
        for each in rated
        if each.id != challenge.id and each.chip == challenge.chip and each.rate_per_s is not None
    ]
    peers = summarize_peers([*facts.peers_per_s.get(challenge.id, ()), *beside])
    flags = list(challenge.flags)
    if challenge.state is not ChallengeState.ANSWERED:
        flags.append(ChallengeFlag.NO_ANSWER if challenge.answered_at is None else ChallengeFlag.UNCHECKED)
    if challenge.rate_per_s is not None:
        flags += _compare(challenge.rate_per_s, challenge.claim_per_s, peers, terms)
    if challenge.id in staggered:
        flags.append(ChallengeFlag.ONE_AFTER_ANOTHER)
    if _is_told_shorter(challenge, terms):
        flags.append(ChallengeFlag.TOLD_SHORTER)
    return replace(
        challenge,
        state=ChallengeState.JUDGED,
        verdict=_find_verdict(challenge, flags, facts),
        flags=tuple(flags),
        peers=peers,
        judged_at=facts.now,
        version=challenge.version + 1,
    )


def _compare(
    rate_per_s: int, claim_per_s: int | None, peers: Peers | None, terms: ChallengeTerms
) -> list[ChallengeFlag]:
    flags = []
    if claim_per_s is not None and rate_per_s < terms.claim_share_min * claim_per_s:
        flags.append(ChallengeFlag.BELOW_CLAIM)
    if claim_per_s is not None and rate_per_s > terms.claim_share_max * claim_per_s:
        flags.append(ChallengeFlag.ABOVE_CLAIM)
    if peers and peers.count >= terms.peers_min and rate_per_s < terms.peer_share_min * peers.median_per_s:
        flags.append(ChallengeFlag.BELOW_PEERS)
    return flags


def _is_told_shorter(challenge: Challenge, terms: ChallengeTerms) -> bool:
    """Tell whether the agent claims a time that cannot be: less than a share of what passed here, and not by the way alone."""
    elapsed_s = measure_elapsed_us(challenge) / 1e6
    if challenge.told_us is None or not elapsed_s:
        return False
    told_s = challenge.told_us / 1e6
    return told_s < terms.told_share_min * elapsed_s and told_s + terms.told_slack_s < elapsed_s


def _find_verdict(challenge: Challenge, flags: Sequence[ChallengeFlag], facts: RoundFacts) -> Verdict:
    """Return failed only with a proof: a site that fell silent, or that cannot do the work, has disproved nothing.

    Nor has one whose answer nobody checked.
    """
    if ChallengeFlag.UNABLE in flags or ChallengeFlag.UNCHECKED in flags:
        return Verdict.UNKNOWN
    if ChallengeFlag.NO_ANSWER in flags:
        was_heard = (
            challenge.issued_at is not None and facts.heard_at is not None and facts.heard_at >= challenge.due_at
        )
        return Verdict.FAILED if was_heard else Verdict.UNKNOWN
    return Verdict.FAILED if FAILING & set(flags) else Verdict.OK
