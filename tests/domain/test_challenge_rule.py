"""What is asked of a device, what time it took, and what a round's answers prove."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.challenge import Challenge, ChallengeFlag, ChallengeState, ChallengeWork, Peers, Workload
from keisan.domain.challenge_rule import (
    FAILING,
    ChallengeTerms,
    RoundFacts,
    count_work,
    find_deadline,
    find_end,
    find_staggered,
    is_round_over,
    judge_round,
    measure_elapsed_us,
    plan_work,
    summarize_peers,
)
from keisan.domain.ids import ChallengeId, DeviceId
from keisan.domain.limits import (
    CHALLENGE_CHECK_WAIT_S,
    CHALLENGE_COUNT_MAX,
    CHALLENGE_HEARD_S,
    CHALLENGE_WIDTHS,
    CHALLENGE_WORDS,
)
from keisan.domain.verdict import Verdict
from tests.domain.challenge_samples import build_answered, build_challenge
from tests.domain.samples import NOW, name_id

TERMS = ChallengeTerms()
GIB = 2**30
FLAG = ChallengeFlag
# 2 x 8 x 1024^3 operations.
WORK_OPERATIONS = 17_179_869_184


def judge(challenges: Sequence[Challenge], peers: Sequence[int] = (), **changes: Any) -> list[Challenge]:
    facts = RoundFacts(
        NOW + timedelta(seconds=100), NOW + timedelta(seconds=99), {each.id: peers for each in challenges}
    )
    return list(judge_round(challenges, replace(facts, **changes), TERMS))


def judge_one(challenge: Challenge, peers: Sequence[int] = (), **changes: Any) -> Challenge:
    [judged] = judge([challenge], peers, **changes)
    return judged


@given(
    workload=st.sampled_from(Workload),
    claim_per_s=st.none() | st.integers(min_value=1, max_value=10**17),
    memory_bytes=st.integers(min_value=0, max_value=2**40),
)
def test_work_is_within_its_limits_and_fits_the_memory(
    workload: Workload, claim_per_s: int | None, memory_bytes: int
) -> None:
    work = plan_work(workload, "5eed", claim_per_s, memory_bytes, TERMS)
    sizes = CHALLENGE_WORDS if workload is Workload.MEMORY else CHALLENGE_WIDTHS
    assert work.width in sizes
    assert 1 <= work.count <= CHALLENGE_COUNT_MAX
    held_bytes = 8 * work.width if workload is Workload.MEMORY else 32 * work.width**2
    assert work.width == sizes[0] or held_bytes <= memory_bytes // 4
    # Not far less than the time that is aimed at, unless the largest work that fits is so quick; never a hundred times more.
    is_largest = work.count == CHALLENGE_COUNT_MAX
    assert is_largest or count_work(work) >= (claim_per_s or 1) * TERMS.target_s


@pytest.mark.parametrize(
    ("workload", "claim_per_s", "width", "count"),
    [
        (Workload.FP32, None, 1024, 24),
        (Workload.FP32, 200_000_000_000, 2048, 12),
        (Workload.BF16, 700_000_000_000_000, 16384, 32),
        (Workload.MEMORY, None, 2**25, 2),
        (Workload.MEMORY, 3_000_000_000_000, 2**30, 32),
    ],
)
def test_work_grows_with_the_claim(workload: Workload, claim_per_s: int | None, width: int, count: int) -> None:
    work = plan_work(workload, "5eed", claim_per_s, 80 * GIB, TERMS)
    assert (work.width, work.count, work.seed) == (width, count, "5eed")


def test_work_is_counted_as_operations_or_bytes() -> None:
    assert count_work(ChallengeWork(Workload.FP32, 1024, 8, "")) == WORK_OPERATIONS
    # Written once, six times two words read and one written, read once: twenty words of four bytes.
    assert count_work(ChallengeWork(Workload.MEMORY, 1000, 2, "")) == 2 * 1000 * 80


def test_deadline_gives_a_device_of_a_twentieth_of_its_claim_the_time() -> None:
    work = ChallengeWork(Workload.FP32, 1024, 8, "")
    slow_s = count_work(work) / (200_000_000_000 / 20)
    assert find_deadline(work, 200_000_000_000, TERMS) > timedelta(seconds=slow_s)
    assert find_deadline(work, None, TERMS) < timedelta(seconds=60)


def test_rate_is_by_the_platforms_time_alone() -> None:
    judged = judge_one(build_answered(1, 1.0, told_us=900_000))
    assert (judged.rate_per_s, judged.verdict, judged.flags) == (WORK_OPERATIONS, Verdict.OK, ())
    assert (judged.state, judged.judged_at, judged.version) == (ChallengeState.JUDGED, NOW + timedelta(seconds=100), 5)


def test_shorter_time_that_is_told_changes_no_rate_and_is_noticed() -> None:
    honest, liar = judge_one(build_answered(1, 1.0)), judge_one(build_answered(1, 1.0, told_us=100_000))
    assert (liar.rate_per_s, liar.verdict) == (honest.rate_per_s, honest.verdict)
    assert liar.flags == (FLAG.TOLD_SHORTER,)
    # What the way takes is no lie.
    assert judge_one(build_answered(1, 0.3, told_us=100)).flags == (FLAG.ABOVE_CLAIM,)


@pytest.mark.parametrize(
    ("elapsed_s", "flags", "verdict"),
    [
        (WORK_OPERATIONS / 20e9, (), Verdict.OK),
        (WORK_OPERATIONS / 10.1e9, (), Verdict.OK),
        (WORK_OPERATIONS / 9.9e9, (FLAG.BELOW_CLAIM,), Verdict.FAILED),
        (WORK_OPERATIONS / 22.5e9, (FLAG.ABOVE_CLAIM,), Verdict.OK),
    ],
)
def test_rate_is_compared_with_the_claim(elapsed_s: float, flags: tuple[FLAG, ...], verdict: Verdict) -> None:
    judged = judge_one(build_answered(1, elapsed_s))
    assert (judged.flags, judged.verdict) == (flags, verdict)


def test_without_a_claim_nothing_is_disproved() -> None:
    judged = judge_one(build_answered(1, 50.0, claim_per_s=None, told_us=50_000_000))
    assert (judged.flags, judged.verdict, judged.rate_per_s) == ((), Verdict.OK, WORK_OPERATIONS // 50)


def test_rate_is_compared_with_peers_once_there_are_enough() -> None:
    slow = build_answered(1, WORK_OPERATIONS / 10.1e9)
    assert judge_one(slow, [20 * 10**9] * 2).flags == ()
    judged = judge_one(slow, [20 * 10**9] * 3)
    assert (judged.flags, judged.verdict) == ((FLAG.BELOW_PEERS,), Verdict.OK)
    assert judged.peers == Peers(3, 20 * 10**9, 0)


def test_devices_of_the_round_are_peers_of_each_other_and_not_of_themselves() -> None:
    first, second, other = judge(
        [build_answered(1, 1.0), build_answered(2, 1.001), build_answered(3, 1.0, chip="other")], []
    )
    assert first.peers == Peers(1, second.rate_per_s or 0, 0)
    assert other.peers is None


@given(rates=st.lists(st.integers(min_value=0, max_value=10**16), min_size=1, max_size=20))
def test_peers_are_summed_up_as_median_and_spread(rates: list[int]) -> None:
    peers = summarize_peers(rates)
    assert peers is not None
    assert peers.count == len(rates)
    assert peers.median_per_s == pytest.approx(median(rates), abs=1)
    assert 0 <= peers.spread_per_s <= max(rates) - min(rates)
    assert summarize_peers([]) is None


def test_one_device_that_answers_for_eight_is_timed_by_its_last_answer() -> None:
    eight = [build_answered(number, 0.9 * number, told_us=900_000) for number in range(1, 9)]
    judged = judge(eight)
    assert {each.rate_per_s for each in judged} == {WORK_OPERATIONS * 10**6 // 7_200_000}
    for each in judged:
        assert {FLAG.ONE_AFTER_ANOTHER, FLAG.BELOW_CLAIM} <= set(each.flags)
        assert each.verdict is Verdict.FAILED


def test_one_device_that_shares_itself_among_eight_is_below_its_claim() -> None:
    judged = judge([build_answered(number, 7.2 + 0.01 * number) for number in range(1, 9)])
    assert all(FLAG.BELOW_CLAIM in each.flags for each in judged)
    assert not any(FLAG.ONE_AFTER_ANOTHER in each.flags for each in judged)


@given(jitter=st.lists(st.floats(min_value=0, max_value=0.4), min_size=1, max_size=16))
def test_devices_side_by_side_are_not_taken_for_one(jitter: list[float]) -> None:
    side_by_side = [build_answered(number, 1.0 + late_s) for number, late_s in enumerate(jitter, 1)]
    assert find_staggered(side_by_side, TERMS) == frozenset()


@given(count=st.integers(min_value=2, max_value=16), noise=st.floats(min_value=-0.2, max_value=0.2))
def test_one_after_another_is_seen_whatever_the_others_do(count: int, noise: float) -> None:
    own = [build_answered(number, number * (1.0 + noise * (number % 2))) for number in range(1, count + 1)]
    wrong = build_answered(90, 0.1, flags=(FLAG.WRONG_ANSWER,))
    other = build_answered(91, 0.1, chip="other")
    assert find_staggered([*own, wrong, other], TERMS) == {each.id for each in own}


@pytest.mark.parametrize("flag", [FLAG.WRONG_ANSWER, FLAG.REPLAYED, FLAG.COPIED])
def test_wrong_answer_has_no_rate_and_fails(flag: FLAG) -> None:
    judged = judge_one(build_answered(1, 1.0, flags=(flag,)))
    assert (judged.rate_per_s, judged.verdict, judged.flags) == (None, Verdict.FAILED, (flag,))


def test_site_that_cannot_do_the_work_disproves_nothing() -> None:
    judged = judge_one(build_answered(1, 0.1, flags=(FLAG.UNABLE,), commitment=""))
    assert (judged.rate_per_s, judged.verdict, judged.flags) == (None, Verdict.UNKNOWN, (FLAG.UNABLE,))


@pytest.mark.parametrize(
    ("changes", "heard_at", "verdict"),
    [
        # It was asked, it lives, and it has nothing to answer with.
        ({"state": ChallengeState.ISSUED, "issued_at": NOW}, NOW + timedelta(seconds=60), Verdict.FAILED),
        ({"state": ChallengeState.COMMITTED, "issued_at": NOW}, NOW + timedelta(seconds=61), Verdict.FAILED),
        # It fell silent: nobody knows why.
        ({"state": ChallengeState.ISSUED, "issued_at": NOW}, NOW + timedelta(seconds=59), Verdict.UNKNOWN),
        ({"state": ChallengeState.ISSUED, "issued_at": NOW}, None, Verdict.UNKNOWN),
        # It was never asked.
        ({}, NOW + timedelta(seconds=99), Verdict.UNKNOWN),
    ],
)
def test_silence_is_a_proof_only_of_a_site_that_speaks(
    changes: dict[str, Any], heard_at: datetime | None, verdict: Verdict
) -> None:
    judged = judge_one(build_challenge(**changes), heard_at=heard_at)
    assert (judged.flags, judged.verdict, judged.rate_per_s) == ((FLAG.NO_ANSWER,), verdict, None)


def test_round_is_over_when_all_have_answered_or_had_their_time() -> None:
    late = build_challenge(id=ChallengeId(name_id(21, 2)), device_id=DeviceId(name_id(8, 2)))
    answered = build_answered(1, 1.0)
    assert is_round_over([answered, replace(answered, id=late.id)], NOW)
    end = late.due_at + timedelta(seconds=CHALLENGE_HEARD_S)
    assert not is_round_over([answered, late], end - timedelta(microseconds=1))
    assert is_round_over([answered, late], end)


def test_what_came_in_time_is_waited_for_until_it_is_checked() -> None:
    came = build_answered(1, 1.0, state=ChallengeState.COMMITTED, answered_at=NOW)
    end = NOW + timedelta(seconds=CHALLENGE_CHECK_WAIT_S)
    assert find_end(came) == end > came.due_at + timedelta(seconds=CHALLENGE_HEARD_S)
    assert not is_round_over([came], end - timedelta(microseconds=1))
    assert is_round_over([came], end)
    # Nobody checked it, so it proves nothing against its site.
    judged = judge_one(came)
    assert (judged.verdict, judged.flags, judged.rate_per_s) == (Verdict.UNKNOWN, (FLAG.UNCHECKED,), None)


def test_time_is_at_least_a_microsecond_even_if_the_clock_was_set_back() -> None:
    assert measure_elapsed_us(build_answered(1, -5.0)) == 1
    assert measure_elapsed_us(build_challenge()) == 0
    assert judge_one(build_answered(1, -5.0, told_us=0)).flags == (FLAG.ABOVE_CLAIM,)


def test_what_fails_is_a_flag_that_needs_a_proof() -> None:
    assert FLAG.UNABLE not in FAILING
    assert FLAG.TOLD_SHORTER not in FAILING
