"""The rules of serving challenges, on values: what is asked, how concurrency grows, what a step came to, what a ladder proves."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keisan.domain.challenge_rule import ChallengeTerms
from keisan.domain.ids import RecordId
from keisan.domain.limits import SERVING_DRAIN_S, SERVING_KEY_S_MAX, SERVING_RECORDS_S_MAX
from keisan.domain.price import TokenClass
from keisan.domain.serving_challenge import (
    SeenCall,
    ServingChallenge,
    ServingFlag,
    ServingState,
    ServingStep,
    ServingWork,
)
from keisan.domain.usage import UsageRecord, UsageSource
from keisan.domain.verdict import Verdict

MADE = (TokenClass.OUTPUT, TokenClass.REASONING)
COUNTED = frozenset({UsageSource.ENGINE, UsageSource.ENGINE_RUNNING})
CUT = "cut"
# More calls at a time that give less than this share more are not worth what they cost.
GROWTH_MIN = 1.05
PERCENTILE = 0.95
# Tokens of a call that carry no text: its end, and what was under way when it was cut.
SILENT_TOKENS = 2
# An engine sends a token as it is made, now and then two together.
PIECE_TOKENS_MAX = 2
WORD_TEXT = (
    "amber anchor apple arrow autumn bamboo basket beacon bell bridge bronze candle canyon castle cedar cliff cloud "
    "comet copper coral cotton crane crystal desert dragon drum eagle ember feather fern field flute forest garden "
    "glacier granite harbour hill honey island ivory jade lantern lemon lily maple marble meadow mirror moon "
    "mountain needle ocean orchid paper pearl pine prism rain river salt silver storm thunder valley willow"
)
WORDS = tuple(WORD_TEXT.split())
PROMPT_WORDS = 12
# With these no count is believed.
DISBELIEVED = frozenset({ServingFlag.INTERRUPTED, ServingFlag.TOLD_MORE, ServingFlag.FEW_PIECES})


@dataclass(frozen=True, slots=True)
class StepSeen:
    """What the platform saw of a step: how many calls at a time, how long it took in all, and each call."""

    concurrency: int
    elapsed_us: int
    calls: tuple[SeenCall, ...]


def build_prompt(work: ServingWork, step: int, call: int) -> str:
    """Return the prompt of a call: its words follow from the seed, so that nothing of it was ever computed before."""
    drawn = hashlib.shake_256(f"{work.seed}:{step}:{call}".encode()).digest(PROMPT_WORDS)
    # The words stand first: what comes before them is all that a cache of prefixes can hold.
    words = " ".join(WORDS[byte % len(WORDS)] for byte in drawn)
    return f"{words}. Tell a long story in which each of these words comes up."


def find_deadline(work: ServingWork) -> timedelta:
    """Return how long a serving challenge may run: longer than all its steps take, with all their records late."""
    steps = math.ceil(math.log2(work.concurrency_max)) + 1
    return timedelta(seconds=SERVING_KEY_S_MAX + 2 * steps * (work.step_s + SERVING_DRAIN_S + SERVING_RECORDS_S_MAX))


def find_concurrency(work: ServingWork, steps: Sequence[ServingStep]) -> int | None:
    """Return how many calls at a time come next, None if the ladder is at its end.

    It doubles until a step does not hold, until more calls bring no more tokens, or as far as it may.
    """
    if not steps:
        return 1
    last = steps[-1]
    before = max((step.rate_milli_per_s for step in steps[:-1]), default=0)
    is_saturated = last.rate_milli_per_s < GROWTH_MIN * before
    if not last.is_held or is_saturated or last.concurrency >= work.concurrency_max:
        return None
    return min(2 * last.concurrency, work.concurrency_max)


def is_recorded(seen: StepSeen, records: Mapping[RecordId, UsageRecord]) -> bool:
    """Tell whether the record of each call that has one is there."""
    return all(call.record_id is None or call.record_id in records for call in seen.calls)


def measure_step(challenge: ServingChallenge, seen: StepSeen, records: Mapping[RecordId, UsageRecord]) -> ServingStep:
    """Return what a step came to: tokens and times by the records, each beside what the platform saw of the same call.

    What other deployments or sites served is counted as calls and brings no tokens.
    """
    recorded = [
        (call, records[call.record_id])
        for call in seen.calls
        if call.record_id is not None and call.record_id in records
    ]
    place = (challenge.deployment_id, challenge.site_id)
    own = [
        (call, record) for call, record in recorded if (record.context.deployment_id, record.context.site_id) == place
    ]
    tokens = sum(_count_made(record) for _, record in own)
    failed = sum(call.code not in ("", CUT) for call in seen.calls)
    missing = sum(call.record_id is not None and call.record_id not in records for call in seen.calls)
    waits_us = [_find_wait_us(call, record) for call, record in own]
    # Cut before the gateway named a record: it waited so long at least.
    waits_us += [call.elapsed_us for call in seen.calls if call.record_id is None and call.code == CUT]
    waits_us.sort()
    told_us = sorted(record.first_byte_us for _, record in own if record.first_byte_us is not None)
    last_us = find_percentile(waits_us, PERCENTILE)
    is_quick = last_us is not None and last_us <= challenge.work.first_token_ms * 1000
    return ServingStep(
        concurrency=seen.concurrency,
        call_count=len(seen.calls),
        failed_count=failed,
        missing_count=missing,
        elsewhere_count=len(recorded) - len(own),
        estimated_count=sum(record.usage_source not in COUNTED for _, record in own),
        output_tokens=tokens,
        piece_count=sum(call.piece_count for call, _ in own),
        text_bytes=sum(call.text_bytes for call, _ in own),
        first_token_p50_us=find_percentile(waits_us, 0.5),
        first_token_p95_us=last_us,
        told_p95_us=find_percentile(told_us, PERCENTILE),
        elapsed_us=seen.elapsed_us,
        rate_milli_per_s=tokens * 10**9 // max(seen.elapsed_us, 1),
        is_held=is_quick and tokens > 0 and not failed and not missing,
    )


def _count_made(record: UsageRecord) -> int:
    return sum(record.quantities.get(token_class, 0) for token_class in MADE)


def _find_wait_us(call: SeenCall, record: UsageRecord) -> int:
    """Return how long the first token took: an engine that sends an empty piece at once gains nothing by it."""
    seen_us = call.elapsed_us if call.first_text_us is None else call.first_text_us
    return max(seen_us, record.first_byte_us or 0)


def find_percentile(sorted_us: Sequence[int], share: float) -> int | None:
    """Return the least of these values that so great a share of them does not exceed, None without values."""
    return sorted_us[max(math.ceil(share * len(sorted_us)), 1) - 1] if sorted_us else None


def judge_serving(challenge: ServingChallenge, now: datetime, terms: ChallengeTerms) -> ServingChallenge:
    """Return a serving challenge as it is judged by its steps; the flags that it has stay."""
    best = max((step for step in challenge.steps if step.is_held), key=lambda step: step.rate_milli_per_s, default=None)
    flags = [*challenge.flags, *_list_noticed(challenge.steps, terms)]
    if any(map(_is_slow, challenge.steps[:1])):
        flags.append(ServingFlag.SLOW_FIRST_TOKEN)
    if best is not None:
        flags += _compare(best.rate_milli_per_s, challenge.claim_milli_per_s, terms)
    believed = None if DISBELIEVED & set(flags) else best
    return replace(
        challenge,
        state=ServingState.JUDGED,
        verdict=_find_verdict(frozenset(flags), best),
        flags=tuple(flags),
        rate_milli_per_s=None if believed is None else believed.rate_milli_per_s,
        concurrency=None if believed is None else believed.concurrency,
        judged_at=now,
        version=challenge.version + 1,
    )


def _is_slow(first: ServingStep) -> bool:
    """Tell whether one call at a time, of which all is known, waited too long."""
    is_known = first.call_count > 0 and not first.failed_count and not first.missing_count
    return is_known and first.output_tokens > 0 and not first.is_held


def _list_noticed(steps: Sequence[ServingStep], terms: ChallengeTerms) -> list[ServingFlag]:
    tokens = sum(step.output_tokens for step in steps)
    silent = SILENT_TOKENS * sum(step.call_count for step in steps)
    noticed = {
        ServingFlag.CALLS_FAILED: any(step.failed_count for step in steps),
        ServingFlag.RECORDS_MISSING: any(step.missing_count for step in steps),
        ServingFlag.NO_TOKENS: bool(steps) and not tokens,
        ServingFlag.SERVED_ELSEWHERE: any(step.elsewhere_count for step in steps),
        # No token has less than a byte of text.
        ServingFlag.TOLD_MORE: tokens > sum(step.text_bytes for step in steps) + silent,
        ServingFlag.FEW_PIECES: tokens > PIECE_TOKENS_MAX * sum(step.piece_count for step in steps) + silent,
        ServingFlag.TOLD_SHORTER: any(_is_told_shorter(step, terms) for step in steps),
        ServingFlag.ESTIMATED: any(step.estimated_count for step in steps),
    }
    return [flag for flag, is_so in noticed.items() if is_so]


def _is_told_shorter(step: ServingStep, terms: ChallengeTerms) -> bool:
    """Tell whether records say of first tokens what cannot be: less than a share of what passed here, not by the way alone."""
    told_us, seen_us, slack_us = step.told_p95_us, step.first_token_p95_us, terms.told_slack_s * 1e6
    if told_us is None or seen_us is None:
        return False
    return told_us < terms.told_share_min * seen_us and told_us + slack_us < seen_us


def _compare(rate_milli_per_s: int, claim_milli_per_s: int | None, terms: ChallengeTerms) -> list[ServingFlag]:
    if claim_milli_per_s is None:
        return []
    if rate_milli_per_s < terms.claim_share_min * claim_milli_per_s:
        return [ServingFlag.BELOW_CLAIM]
    return [ServingFlag.ABOVE_CLAIM] if rate_milli_per_s > terms.claim_share_max * claim_milli_per_s else []


def _find_verdict(flags: AbstractSet[ServingFlag], best: ServingStep | None) -> Verdict:
    """Return failed only with a proof: calls that failed, or whose records did not come, have disproved nothing.

    Nor has a wait that the records know nothing of: it may be this platform's own.
    """
    if ServingFlag.TOLD_MORE in flags and ServingFlag.INTERRUPTED not in flags:
        return Verdict.FAILED
    if DISBELIEVED & flags:
        return Verdict.UNKNOWN
    if best is not None:
        return Verdict.FAILED if ServingFlag.BELOW_CLAIM in flags else Verdict.OK
    is_disproved = ServingFlag.SLOW_FIRST_TOKEN in flags and ServingFlag.TOLD_SHORTER not in flags
    return Verdict.FAILED if is_disproved else Verdict.UNKNOWN
