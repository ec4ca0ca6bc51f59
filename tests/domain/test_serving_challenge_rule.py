"""How concurrency grows, what a step came to by its records, and what a ladder of steps proves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.challenge_rule import ChallengeTerms
from keisan.domain.ids import DeploymentId, SiteId
from keisan.domain.limits import SERVING_CONCURRENCY_MAX, SERVING_DRAIN_S
from keisan.domain.price import TokenClass
from keisan.domain.serving_challenge import SeenCall, ServingChallenge, ServingFlag, ServingState, ServingStep
from keisan.domain.serving_challenge_rule import (
    CUT,
    StepSeen,
    build_prompt,
    find_concurrency,
    find_deadline,
    find_percentile,
    is_recorded,
    judge_serving,
    measure_step,
)
from keisan.domain.usage import UsageSource
from keisan.domain.verdict import Verdict
from tests.domain.samples import NOW, name_id
from tests.domain.serving_samples import STEP, WORK, build_call, build_call_record, build_serving_challenge

FLAG = ServingFlag
CHALLENGE = build_serving_challenge()


def measure(*calls: SeenCall, tokens: int = 10, **changes: Any) -> ServingStep:
    """Return what calls came to whose records all say the same."""
    records = dict(build_call_record(CHALLENGE, call, tokens, **changes) for call in calls if call.record_id)
    return measure_step(CHALLENGE, StepSeen(2, 1_000_000, calls), records)


def judge(*steps: ServingStep, **changes: Any) -> ServingChallenge:
    return judge_serving(build_serving_challenge(steps=steps, **changes), NOW, ChallengeTerms())


def climb(*rates_milli_per_s: int) -> list[ServingStep]:
    return [
        replace(STEP, concurrency=2**number, rate_milli_per_s=rate_milli_per_s)
        for number, rate_milli_per_s in enumerate(rates_milli_per_s)
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], 1),
        (climb(100), 2),
        (climb(100, 190), 4),
        (climb(100, 105), 4),
        (climb(100, 104), None),
        (climb(100, 300, 250), None),
        ([replace(STEP, is_held=False)], None),
        ([replace(STEP, concurrency=33)], 64),
        ([replace(STEP, concurrency=64)], None),
    ],
)
def test_concurrency_doubles_while_steps_hold_and_bring_more(steps: list[ServingStep], expected: int | None) -> None:
    assert find_concurrency(WORK, steps) == expected


@given(st.integers(1, SERVING_CONCURRENCY_MAX))
def test_ladder_ends_within_its_deadline(concurrency_max: int) -> None:
    work = replace(WORK, concurrency_max=concurrency_max)
    steps: list[ServingStep] = []
    while (concurrency := find_concurrency(work, steps)) is not None:
        assert concurrency <= concurrency_max
        steps.append(replace(STEP, concurrency=concurrency, rate_milli_per_s=1000 * concurrency))
    assert steps[-1].concurrency == concurrency_max
    assert find_deadline(work) > timedelta(seconds=len(steps) * (work.step_s + SERVING_DRAIN_S))


def test_prompts_follow_from_the_seed_and_no_two_are_alike() -> None:
    prompts = [
        build_prompt(work, step, call)
        for work in (WORK, replace(WORK, seed="other"))
        for step in (0, 1)
        for call in range(200)
    ]
    assert len({prompt.split(".")[0] for prompt in prompts}) == len(prompts)
    assert prompts[0] == build_prompt(WORK, 0, 0)


def test_step_counts_tokens_of_records_over_the_platforms_own_time() -> None:
    step = measure(build_call(1), build_call(2))
    assert (step.call_count, step.output_tokens, step.piece_count, step.text_bytes) == (2, 20, 20, 80)
    assert (step.rate_milli_per_s, step.is_held, step.concurrency) == (20_000, True, 2)
    assert (step.failed_count, step.missing_count, step.elsewhere_count, step.estimated_count) == (0, 0, 0, 0)


def test_reasoning_counts_as_output_and_input_does_not() -> None:
    quantities = {TokenClass.INPUT: 1000, TokenClass.INPUT_CACHED: 9, TokenClass.OUTPUT: 3, TokenClass.REASONING: 4}
    assert measure(build_call(1), quantities=quantities).output_tokens == 7


@pytest.mark.parametrize(
    ("changes", "record", "expected_us"),
    [
        ({"first_text_us": 100_000}, {"first_byte_us": 90_000}, 100_000),
        ({"first_text_us": 100_000}, {"first_byte_us": 150_000}, 150_000),
        # A piece without text at once: what counts is the first text.
        ({"first_text_us": 3_000_000}, {"first_byte_us": 1}, 3_000_000),
        # Cut before it said anything, or whole and empty: it waited as long as it lasted.
        ({"first_text_us": None, "elapsed_us": 8_000_000, "code": CUT}, {"first_byte_us": None}, 8_000_000),
    ],
)
def test_first_token_is_the_later_of_what_record_and_platform_say(
    changes: dict[str, Any], record: dict[str, Any], expected_us: int
) -> None:
    step = measure(build_call(1, **changes), **record)
    assert (step.first_token_p95_us, step.first_token_p50_us) == (expected_us, expected_us)
    assert step.is_held is (expected_us <= 2_000_000)


def test_one_slow_call_of_twenty_is_within_the_percentile_and_two_are_not() -> None:
    slow = {"first_text_us": 2_000_001}
    quick = [build_call(number) for number in range(1, 19)]
    assert measure(*quick, build_call(19), build_call(20, **slow)).is_held
    assert not measure(*quick, build_call(19, **slow), build_call(20, **slow)).is_held
    assert find_percentile([], 0.5) is None


def test_call_that_was_cut_counts_by_its_record_and_does_not_fail() -> None:
    step = measure(build_call(1, code=CUT), tokens=5)
    assert (step.output_tokens, step.failed_count, step.is_held) == (5, 0, True)


def test_call_that_was_cut_before_it_had_a_record_waited_all_the_while() -> None:
    step = measure(build_call(1), build_call(2, record_id=None, first_text_us=None, elapsed_us=8_000_000, code=CUT))
    assert (step.first_token_p95_us, step.missing_count, step.is_held) == (8_000_000, 0, False)


@pytest.mark.parametrize("code", ["rate_limited", "insufficient_credit", "unreachable"])
def test_step_with_a_call_that_failed_does_not_hold(code: str) -> None:
    step = measure(build_call(1), build_call(2, record_id=None, code=code))
    assert (step.failed_count, step.missing_count, step.is_held) == (1, 0, False)


def test_step_whose_record_did_not_come_does_not_hold() -> None:
    calls = (build_call(1), build_call(2))
    records = dict([build_call_record(CHALLENGE, calls[0])])
    seen = StepSeen(2, 1_000_000, calls)
    assert not is_recorded(seen, records)
    assert is_recorded(StepSeen(2, 1, (calls[0], build_call(3, record_id=None, code="x"))), records)
    step = measure_step(CHALLENGE, seen, records)
    assert (step.missing_count, step.output_tokens, step.is_held) == (1, 10, False)


@pytest.mark.parametrize("other", [{"deployment_id": DeploymentId(name_id(9))}, {"site_id": SiteId(name_id(9))}])
def test_what_others_served_brings_no_tokens(other: dict[str, Any]) -> None:
    calls = (build_call(1), build_call(2))
    records = dict(build_call_record(CHALLENGE, call) for call in calls)
    strange = records[calls[1].record_id]  # type: ignore[index]  # it has one
    records[strange.id] = strange._replace(context=replace(strange.context, **other))
    step = measure_step(CHALLENGE, StepSeen(2, 1_000_000, calls), records)
    assert (step.elsewhere_count, step.output_tokens, step.piece_count) == (1, 10, 10)
    judged = judge(step)
    assert (judged.verdict, judged.flags, judged.rate_milli_per_s) == (Verdict.OK, (FLAG.SERVED_ELSEWHERE,), 10_000)


def test_tokens_that_the_gateway_estimated_are_flagged() -> None:
    step = measure(build_call(1), usage_source=UsageSource.ESTIMATED)
    assert step.estimated_count == 1
    assert judge(step).flags == (FLAG.ESTIMATED,)
    assert measure(build_call(1), usage_source=UsageSource.ENGINE_RUNNING).estimated_count == 0


def test_best_step_that_held_is_the_rate() -> None:
    late = replace(STEP, concurrency=8, rate_milli_per_s=900_000, is_held=False)
    judged = judge(*climb(100_000, 180_000, 150_000), late)
    assert (judged.verdict, judged.flags, judged.state) == (Verdict.OK, (), ServingState.JUDGED)
    assert (judged.rate_milli_per_s, judged.concurrency) == (180_000, 2)
    assert (judged.judged_at, judged.version) == (NOW, 2)


@pytest.mark.parametrize(
    ("claim_milli_per_s", "verdict", "flags"),
    [
        (None, Verdict.OK, ()),
        (200_000, Verdict.OK, ()),
        (200_002, Verdict.FAILED, (FLAG.BELOW_CLAIM,)),
        (90_000, Verdict.OK, (FLAG.ABOVE_CLAIM,)),
    ],
)
def test_rate_is_compared_with_the_claim(
    claim_milli_per_s: int | None, verdict: Verdict, flags: tuple[ServingFlag, ...]
) -> None:
    judged = judge(*climb(100_000), claim_milli_per_s=claim_milli_per_s)
    assert (judged.verdict, judged.flags, judged.rate_milli_per_s) == (verdict, flags, 100_000)


def test_first_step_that_is_slow_disproves() -> None:
    judged = judge(replace(STEP, first_token_p95_us=2_000_001, told_p95_us=1_900_000, is_held=False))
    assert (judged.verdict, judged.flags) == (Verdict.FAILED, (FLAG.SLOW_FIRST_TOKEN,))
    assert (judged.rate_milli_per_s, judged.concurrency) == (None, None)


def test_wait_that_records_know_nothing_of_disproves_nothing() -> None:
    judged = judge(replace(STEP, first_token_p95_us=4_000_000, told_p95_us=100_000, is_held=False))
    assert judged.flags == (FLAG.TOLD_SHORTER, FLAG.SLOW_FIRST_TOKEN)
    assert judged.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"failed_count": 1}, FLAG.CALLS_FAILED),
        ({"missing_count": 1}, FLAG.RECORDS_MISSING),
        ({"output_tokens": 0}, FLAG.NO_TOKENS),
        ({"call_count": 0, "output_tokens": 0, "first_token_p95_us": None, "told_p95_us": None}, FLAG.NO_TOKENS),
    ],
)
def test_first_step_of_which_not_all_is_known_leaves_it_open(changes: dict[str, Any], flag: ServingFlag) -> None:
    judged = judge(replace(STEP, is_held=False, **changes))
    assert (judged.verdict, judged.flags, judged.rate_milli_per_s) == (Verdict.UNKNOWN, (flag,), None)


def test_later_step_that_failed_ends_the_ladder_and_takes_nothing_back() -> None:
    judged = judge(*climb(100_000), replace(STEP, concurrency=2, failed_count=3, is_held=False))
    assert (judged.verdict, judged.flags, judged.rate_milli_per_s) == (Verdict.OK, (FLAG.CALLS_FAILED,), 100_000)


@pytest.mark.parametrize(
    ("tokens", "verdict", "flags"),
    [
        (10, Verdict.OK, ()),
        (22, Verdict.OK, ()),
        # Twice as many tokens as pieces, and two beside: one more is not seen in the stream.
        (23, Verdict.UNKNOWN, (FLAG.FEW_PIECES,)),
        (42, Verdict.UNKNOWN, (FLAG.FEW_PIECES,)),
        # More tokens than the stream had bytes.
        (43, Verdict.FAILED, (FLAG.TOLD_MORE, FLAG.FEW_PIECES)),
    ],
)
def test_records_that_count_more_than_was_streamed_are_not_believed(
    tokens: int, verdict: Verdict, flags: tuple[ServingFlag, ...]
) -> None:
    judged = judge(measure(build_call(1), tokens=tokens))
    assert (judged.verdict, judged.flags) == (verdict, flags)
    assert (judged.rate_milli_per_s is None) is (verdict is not Verdict.OK)


@pytest.mark.parametrize("steps", [(), (STEP,), (replace(STEP, output_tokens=10**6),)])
def test_ladder_that_was_interrupted_proves_nothing(steps: tuple[ServingStep, ...]) -> None:
    judged = judge(*steps, flags=(FLAG.INTERRUPTED,))
    assert (judged.verdict, judged.rate_milli_per_s) == (Verdict.UNKNOWN, None)
    assert judged.flags[0] is FLAG.INTERRUPTED


def test_nothing_run_is_unknown() -> None:
    assert (judge().verdict, judge().flags) == (Verdict.UNKNOWN, ())
