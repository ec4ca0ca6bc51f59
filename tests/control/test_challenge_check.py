"""Whether a result is right: right ones pass, wrong ones fail as often as is stated, and a coarser precision is no precision.

Each workload is computed by something other than what checks it: plain numpy products, PyTorch, or loops over integers.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from keisan.control.challenge_check import (
    OpenedResult,
    check_opened,
    compute_tolerance,
    is_product_right,
    is_result_right,
    multiply_by_vector,
)
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.challenge_rule import MEMORY_PASSES
from keisan.wire.challenge_proof import Commitment
from keisan.wire.challenge_work import (
    LEAF_WORDS,
    build_matrix,
    build_order,
    count_folded,
    find_requantizing,
    list_memory_keys,
    list_shifts,
)

Numbers = NDArray[Any]
Float = NDArray[np.float64]
FLOATS = (Workload.FP64, Workload.FP32, Workload.TF32, Workload.FP16, Workload.BF16)
POSITIONS = np.array([0, 3, 17, 63])


def round_to(bits: int) -> Callable[[Float], Float]:
    """Return a rounding to so many bits of significand."""

    def round_numbers(numbers: Float) -> Float:
        fraction, exponent = np.frexp(numbers)
        return np.ldexp(np.round(fraction * 2.0**bits) / 2.0**bits, exponent)

    return round_numbers


# What each precision keeps of a number; a result is exact before it is rounded to that.
KEPT: dict[Workload, Callable[[Float], Float]] = {
    Workload.FP64: lambda numbers: numbers,
    Workload.FP32: lambda numbers: numbers.astype(np.float32).astype(np.float64),
    Workload.TF32: round_to(11),
    Workload.FP16: round_to(11),
    Workload.BF16: round_to(8),
}


def multiply(work: ChallengeWork, keep: Callable[[Float], Float]) -> Float:
    """Return the product with every input and every result rounded."""
    result, base = (keep(build_matrix(work, label, np.float64)) for label in "AB")
    for index, shift in enumerate(list_shifts(work)):
        result = keep(result @ base[build_order(work, index)] * 2.0**-shift)
    return result


@cache
def compute(workload: Workload, width: int = 64, count: int = 4) -> tuple[ChallengeWork, Float]:
    work = ChallengeWork(workload, width, count, "5eed")
    return work, multiply(work, KEPT[workload])


def is_passed(work: ChallengeWork, rows: Float, number: int = 0) -> bool:
    return is_product_right(work, POSITIONS, rows, np.random.default_rng(number))


@pytest.mark.parametrize("workload", FLOATS)
@given(number=st.integers(min_value=0, max_value=2**32))
def test_right_rows_pass_for_every_secret_vector(workload: Workload, number: int) -> None:
    work, result = compute(workload)
    assert is_passed(work, result[POSITIONS], number)


@pytest.mark.parametrize(("workload", "kind"), [(Workload.FP32, np.float32), (Workload.FP64, np.float64)])
@pytest.mark.parametrize(("width", "count"), [(64, 32), (1024, 4), (512, 16)])
def test_honest_errors_are_far_within_the_tolerance(
    workload: Workload, kind: type[np.generic], width: int, count: int
) -> None:
    """BLAS's own sums, at several sizes: a sixteenth of the tolerance is what the docstring says, a third what is asked."""
    work = ChallengeWork(workload, width, count, "honest")
    result, base = build_matrix(work, "A", kind), build_matrix(work, "B", kind)
    for index, shift in enumerate(list_shifts(work)):
        result = (result @ base[build_order(work, index)] * kind(2.0**-shift)).astype(kind)
    probe = np.random.default_rng(1).uniform(-1, 1, width)
    positions = np.arange(width)
    expected, scale = multiply_by_vector(work, positions, probe)
    assert scale == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.2)
    off = np.sqrt(np.mean((result.astype(np.float64) @ probe - expected) ** 2)) / scale
    assert off < compute_tolerance(work) / 8


@pytest.mark.parametrize(
    ("claimed", "done"),
    [
        (Workload.FP64, Workload.FP32),
        (Workload.FP32, Workload.TF32),
        (Workload.FP32, Workload.FP16),
        (Workload.FP32, Workload.BF16),
    ],
)
@pytest.mark.parametrize(("width", "count"), [(64, 4), (512, 32)])
def test_coarser_precision_does_not_pass_for_a_finer(claimed: Workload, done: Workload, width: int, count: int) -> None:
    work = ChallengeWork(claimed, width, count, "coarse")
    assert not is_passed(work, multiply(work, KEPT[done])[POSITIONS])


@pytest.mark.parametrize("claimed", [Workload.FP16, Workload.BF16])
def test_eight_bit_numbers_do_not_pass_for_sixteen(claimed: Workload) -> None:
    work = ChallengeWork(claimed, 256, 8, "coarse")
    positions = np.arange(24)
    rows = multiply(work, round_to(4))[positions]
    refused = [not is_product_right(work, positions, rows, np.random.default_rng(number)) for number in range(50)]
    assert all(refused)


@given(
    row=st.sampled_from(range(4)),
    column=st.integers(min_value=0, max_value=63),
    off=st.floats(min_value=0.5, max_value=100) | st.floats(min_value=-100, max_value=-0.5),
    number=st.integers(min_value=0, max_value=2**32),
)
@settings(max_examples=200)
def test_wrong_entry_is_refused(row: int, column: int, off: float, number: int) -> None:
    """Here t / d is some 10^-14."""
    work, result = compute(Workload.FP64)
    rows = result[POSITIONS].copy()
    rows[row, column] += off
    assert not is_passed(work, rows, number)


def test_wrong_entry_passes_as_seldom_as_is_stated() -> None:
    """The bound t / d is tried where it is large, with an error of four tolerances: it must hold, and not be idle."""
    work, result = compute(Workload.BF16)
    probe_rows = result[POSITIONS].copy()
    _, scale = multiply_by_vector(work, POSITIONS, np.random.default_rng(0).uniform(-1, 1, work.width))
    probe_rows[1, 5] += 4 * compute_tolerance(work) * scale
    passed = sum(is_passed(work, probe_rows, number) for number in range(2000))
    # 2,000 trials of 1/4, with room for how the scale varies and for five standard deviations.
    assert 350 < passed < 650


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(poison: float) -> None:
    work, result = compute(Workload.FP32)
    rows = result[POSITIONS].copy()
    rows[2, 2] = poison
    assert not is_passed(work, rows)
    assert not is_passed(work, np.full_like(rows, poison))
    assert not is_passed(work, np.zeros_like(rows))


@pytest.mark.parametrize("seed", ["", "5eee", "5eed "])
def test_other_seed_is_other_work(seed: str) -> None:
    work, _ = compute(Workload.FP32)
    other = ChallengeWork(work.workload, work.width, work.count, seed)
    assert not is_passed(work, multiply(other, KEPT[Workload.FP32])[POSITIONS])


def test_factors_left_out_are_missed() -> None:
    work, _ = compute(Workload.FP32)
    shorter = ChallengeWork(work.workload, work.width, work.count - 1, work.seed)
    assert not is_passed(work, multiply(shorter, KEPT[Workload.FP32])[POSITIONS])


def multiply_int8(work: ChallengeWork) -> Numbers:
    """Return the int8 product by numpy's integer arithmetic."""
    result, base = build_matrix(work, "A", np.int64), build_matrix(work, "B", np.int64)
    for index in range(work.count):
        result = (result @ base[build_order(work, index)] >> find_requantizing(work)).astype(np.int8).astype(np.int64)
    return result.astype(np.int8)


def pass_plainly(work: ChallengeWork) -> Numbers:
    """Return the folded memory by loops over plain integers."""
    folded = [0] * count_folded(work)
    for keys in list_memory_keys(work):
        filled = ((place * keys.step + keys.start) & 0xFFFFFFFF for place in range(work.width))
        words = [word ^ word >> 16 for word in filled]
        for number in range(MEMORY_PASSES):
            distance, factor = keys.distances[number], keys.factors[number]
            words = [
                (words[(place + distance) % work.width] * factor & 0xFFFFFFFF) ^ words[place]
                for place in range(work.width)
            ]
        for place, word in enumerate(words):
            folded[place % len(folded)] ^= word
    return np.array(folded, np.uint32).reshape(-1, LEAF_WORDS)


EXACT = {
    Workload.INT8: (ChallengeWork(Workload.INT8, 64, 5, "5eed"), multiply_int8),
    Workload.MEMORY: (ChallengeWork(Workload.MEMORY, 2048, 2, "5eed"), pass_plainly),
}


@pytest.mark.parametrize("workload", EXACT)
def test_exact_work_is_right_or_wrong_to_the_bit(workload: Workload) -> None:
    work, compute_plainly = EXACT[workload]
    result = compute_plainly(work)
    leaves = {position: result[position].tobytes() for position in (0, 5, 31)}
    generator = np.random.default_rng(0)
    assert is_result_right(work, leaves, generator)
    flipped = bytearray(leaves[5])
    flipped[3] ^= 1
    assert not is_result_right(work, leaves | {5: bytes(flipped)}, generator)
    assert not is_result_right(work, leaves | {5: leaves[31]}, generator)


@pytest.mark.parametrize(("workload", "kind"), [(Workload.FP16, np.float16), (Workload.FP32, np.float32)])
def test_rows_are_read_as_they_were_written(workload: Workload, kind: type[np.generic]) -> None:
    work, result = compute(workload)
    leaves = {3: result[3].astype(kind).tobytes(), 9: result[9].astype(kind).tobytes()}
    generator = np.random.default_rng(0)
    assert is_result_right(work, leaves, generator)
    assert not is_result_right(work, {3: leaves[9], 9: leaves[3]}, generator)
    assert not is_result_right(work, leaves | {9: leaves[9][:-1]}, generator)


def test_bf16_is_the_upper_half_of_fp32() -> None:
    work, result = compute(Workload.BF16)
    upper = (result.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    assert is_result_right(work, {3: upper[3].tobytes()}, np.random.default_rng(0))


def open_result(work: ChallengeWork, rows: Numbers, positions: tuple[int, ...]) -> OpenedResult:
    commitment = Commitment(len(rows), lambda index: rows[index].tobytes())
    return OpenedResult(commitment.build_root(), positions, tuple(commitment.open(index) for index in positions))


def test_parts_must_be_under_the_commitment() -> None:
    work, result = compute(Workload.FP64)
    opened = open_result(work, result, (3, 9))
    assert check_opened(opened, [work]) == 0
    swapped = OpenedResult(opened.commitment, (9, 3), opened.leaves)
    assert check_opened(swapped, [work]) is None
    short = OpenedResult(opened.commitment, (3, 9), opened.leaves[:1])
    assert check_opened(short, [work]) is None
    # The rows are right, but what was committed to before they were asked for is something else.
    other = open_result(work, np.zeros_like(result), (3, 9))
    assert check_opened(OpenedResult(other.commitment, (3, 9), opened.leaves), [work]) is None


def test_right_answer_to_other_work_is_told_from_a_wrong_one() -> None:
    work, result = compute(Workload.FP64)
    asked = ChallengeWork(work.workload, work.width, work.count, "asked")
    opened = open_result(work, result, (3, 9))
    larger = ChallengeWork(work.workload, 128, work.count, "larger")
    assert check_opened(opened, [asked, larger]) is None
    assert check_opened(opened, [asked, larger, work]) == 2


def test_partly_computed_result_passes_as_seldom_as_its_rows_are_met() -> None:
    """Of a result whose last tenth was never computed, k rows meet none of it with a probability of 0.9^k."""
    work, result = compute(Workload.FP32)
    partial = result.copy()
    partial[58:] = 0
    drawn = np.random.default_rng(3)
    passed = 0
    for _ in range(300):
        positions = np.sort(drawn.choice(64, 8, replace=False))
        passed += is_product_right(work, positions, partial[positions], drawn)
    # Without replacement: (58 choose 8) / (64 choose 8) = 0.44.
    assert 90 < passed < 175
