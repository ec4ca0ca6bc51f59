"""The numbers of a challenge: the same wherever and in whatever parts they are made, and no two seeds alike."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.challenge_rule import MEMORY_PASSES
from keisan.wire.challenge_work import (
    BLOCK_NUMBERS,
    ENTRY_BITS,
    build_matrix,
    build_order,
    build_rows,
    count_folded,
    count_leaves,
    derive_keys,
    fill_words,
    hash_counters,
    list_memory_keys,
    list_shifts,
)

GOLDEN_MATRIX = "44f44e2230001721"
GOLDEN_MEMORY = "d882c033fda6fbae"
MATRICES = [workload for workload in Workload if workload is not Workload.MEMORY]


def mix_plainly(word: int) -> int:
    """Return lowbias32 of a word, on plain integers."""
    word ^= word >> 16
    word = word * 0x7FEB352D & 0xFFFFFFFF
    word ^= word >> 15
    word = word * 0x846CA68B & 0xFFFFFFFF
    return word ^ word >> 16


@given(first=st.integers(min_value=0, max_value=2**32 - 8), seed=st.text(max_size=8))
def test_hash_is_that_of_plain_integers(first: int, seed: str) -> None:
    mask, offset = derive_keys(seed, "A")
    plain = [mix_plainly(((counter ^ mask) + offset) & 0xFFFFFFFF) for counter in range(first, first + 5)]
    assert hash_counters(seed, "A", first, 5).tolist() == plain


def test_numbers_are_those_of_every_release() -> None:
    """Another release of either side must make the same: a change here is a change of what crosses."""
    work = ChallengeWork(Workload.FP32, 64, 2, "5eed")
    content = build_matrix(work, "A", np.float32).tobytes() + build_order(work, 1).tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == GOLDEN_MATRIX
    keys = next(list_memory_keys(ChallengeWork(Workload.MEMORY, 1024, 1, "5eed")))
    filled = fill_words(keys, np.arange(1024, dtype=np.uint64))
    assert hashlib.sha256(filled.tobytes() + repr(keys).encode()).hexdigest()[:16] == GOLDEN_MEMORY


@pytest.mark.parametrize("workload", MATRICES)
def test_rows_alone_are_the_rows_of_the_whole(workload: Workload) -> None:
    # Larger than a block, so that blocks meet within a row.
    work = ChallengeWork(workload, 300, 1, "5eed")
    assert work.width**2 > BLOCK_NUMBERS
    whole = build_matrix(work, "B", np.float64)
    assert np.array_equal(build_rows(work, "B", np.array([0, 7, 299]), np.float64), whole[[0, 7, 299]])
    assert not np.array_equal(whole, build_matrix(work, "A", np.float64))


@pytest.mark.parametrize("workload", MATRICES)
def test_entries_fill_their_precision_and_are_random(workload: Workload) -> None:
    work = ChallengeWork(workload, 256, 1, "5eed")
    entries = build_matrix(work, "A", np.float64)
    most = 128.0 if workload is Workload.INT8 else 1.0
    assert -most <= entries.min() < -0.9 * most < 0.9 * most < entries.max() < most
    assert abs(entries.mean()) < 0.01 * most
    assert entries.std() == pytest.approx(most / 3**0.5, rel=0.02)
    # In its own precision nothing is lost, in one of a bit less something is.
    whole = entries / most * 2.0 ** (ENTRY_BITS[workload] - 1)
    assert np.array_equal(whole, np.round(whole))
    assert not np.array_equal(whole / 2, np.round(whole / 2))


def test_order_is_a_permutation_of_its_own_for_each_factor() -> None:
    work = ChallengeWork(Workload.FP32, 128, 3, "5eed")
    orders = [build_order(work, index) for index in range(3)]
    assert all(np.array_equal(np.sort(order), np.arange(128)) for order in orders)
    assert not any(np.array_equal(orders[0], order) for order in orders[1:])


@pytest.mark.parametrize("width", [64, 100, 1024, 2048])
def test_products_stay_near_one(width: int) -> None:
    work = ChallengeWork(Workload.FP64, width, 12, "5eed")
    base, product = build_matrix(work, "B", np.float64), build_matrix(work, "A", np.float64)[:8]
    for index, shift in enumerate(list_shifts(work)):
        product = product @ base[build_order(work, index)] * 2.0**-shift
        assert 0.1 < product.std() < 2.0


@given(seed=st.text(max_size=8), power=st.integers(min_value=10, max_value=30))
def test_passes_reach_far_and_lose_nothing(seed: str, power: int) -> None:
    work = ChallengeWork(Workload.MEMORY, 2**power, 2, seed)
    first, second = list_memory_keys(work)
    assert first != second
    for keys in (first, second):
        assert len(keys.distances) == len(keys.factors) == MEMORY_PASSES
        assert all(work.width // 8 <= distance < work.width for distance in keys.distances)
        assert all(factor % 2 == 1 for factor in (*keys.factors, keys.step))


def test_parts_are_counted() -> None:
    assert count_leaves(ChallengeWork(Workload.FP32, 2048, 1, "")) == 2048
    memory = ChallengeWork(Workload.MEMORY, 2**26, 1, "")
    assert (count_folded(memory), count_leaves(memory)) == (2**16, 2**14)
    assert count_folded(ChallengeWork(Workload.MEMORY, 1024, 1, "")) == 256
