"""Whether an opened result is right: Freivalds' test for products, a second computation of single words for memory.

A product C of `count` factors is never computed here: for a secret vector r, C x r is made in count + 1 steps of n^2, and
each opened row of C must give the same. Rows are drawn after C was committed to, so all of C had to be there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keisan.domain.challenge import ChallengeWork, Workload
from keisan.wire.challenge_proof import is_opening
from keisan.wire.challenge_work import (
    LEAF_WORDS,
    MemoryKeys,
    Words,
    build_matrix,
    build_order,
    build_rows,
    count_folded,
    count_leaves,
    fill_words,
    find_requantizing,
    list_memory_keys,
    list_shifts,
)

# Unit roundoffs: of what sums are kept in, and of what results are written in. tf32 multiplies numbers of 11 bits that it
# may cut instead of rounding.
SUM_ROUNDOFF = {Workload.FP64: 2.0**-53}
SUM_ROUNDOFF_OTHERS = 2.0**-24
STORE_ROUNDOFF = {
    Workload.FP64: 2.0**-53,
    Workload.FP32: 2.0**-24,
    Workload.TF32: 2.0**-10,
    Workload.FP16: 2.0**-11,
    Workload.BF16: 2.0**-8,
}
# Rounding errors of sums of random numbers wander: after n additions their root mean square is about a quarter of n^0.5
# roundoffs (Higham and Mary, 2019, bound it by a small multiple of n^0.5). Four is sixteen of those: an honest row is refused
# less than once in 10^50, and the next coarser precision is a hundred times further off.
TOLERANCE_FACTOR = 4.0
# Exact to 24 bits, so a coarse precision is checked in half the memory.
COARSE = frozenset({Workload.TF32, Workload.FP16, Workload.BF16})
RESULT_KINDS: dict[Workload, type[np.generic]] = {
    Workload.FP64: np.float64,
    Workload.FP32: np.float32,
    Workload.TF32: np.float32,
    Workload.FP16: np.float16,
    Workload.BF16: np.uint16,
    Workload.INT8: np.int8,
}
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OpenedResult:
    """What an agent handed in: a commitment, which parts were asked for after it, and those parts with their paths."""

    commitment: str
    positions: tuple[int, ...]
    leaves: tuple[tuple[bytes, tuple[str, ...]], ...]


def check_opened(opened: OpenedResult, works: Sequence[ChallengeWork]) -> int | None:
    """Return for which of these the parts are right, None if for none or if they are not under the commitment. Blocking.

    The first is the work that was asked for; the others tell whose answer was given in its place.
    """
    count = count_leaves(works[0])
    if len(opened.leaves) != len(opened.positions) or not all(
        is_opening(opened.commitment, count, position, leaf, path)
        for position, (leaf, path) in zip(opened.positions, opened.leaves, strict=True)
    ):
        return None
    parts = {position: leaf for position, (leaf, _) in zip(opened.positions, opened.leaves, strict=True)}
    generator = np.random.default_rng()
    for index, work in enumerate(works):
        is_alike = (work.workload, work.width) == (works[0].workload, works[0].width)
        if is_alike and is_result_right(work, parts, generator):
            return index
    return None


def compute_tolerance(work: ChallengeWork) -> float:
    """Return how far an honest row's product with a vector may be off, as a share of all such products' root mean square."""
    kept = SUM_ROUNDOFF.get(work.workload, SUM_ROUNDOFF_OTHERS) * math.sqrt(work.width)
    return TOLERANCE_FACTOR * math.sqrt(work.count) * (kept + STORE_ROUNDOFF[work.workload])


def is_result_right(work: ChallengeWork, leaves: Mapping[int, bytes], generator: np.random.Generator) -> bool:
    """Tell whether the parts at these positions are those of the result. Blocking: seconds for the largest work.

    `generator` draws the secret vector. A row that is off by d in one entry passes with a probability of at most
    t / d, where t is the tolerance times the root mean square of the rows' products with the vector.
    """
    positions = np.array(sorted(leaves), np.int64)
    if work.workload is Workload.MEMORY:
        wanted = compute_leaves(work, positions)
        return all(leaves[int(position)] == wanted[index].tobytes() for index, position in enumerate(positions))
    kind = np.dtype(RESULT_KINDS[work.workload])
    if any(len(leaf) != work.width * kind.itemsize for leaf in leaves.values()):
        return False
    rows = np.stack([np.frombuffer(leaves[int(position)], kind) for position in positions])
    if work.workload is Workload.INT8:
        return np.array_equal(rows, compute_int8_rows(work, positions))
    return is_product_right(work, positions, read_rows(work, rows), generator)


def read_rows(work: ChallengeWork, rows: NDArray[np.generic]) -> Float:
    """Return rows as numbers; bf16 is the upper half of a float32."""
    if work.workload is Workload.BF16:
        return (rows.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return rows.astype(np.float64)


def is_product_right(
    work: ChallengeWork, positions: NDArray[np.int64], rows: Float, generator: np.random.Generator
) -> bool:
    """Tell whether rows of the product pass Freivalds' test with a vector of numbers from [-1, 1)."""
    probe = generator.uniform(-1.0, 1.0, work.width)
    expected, scale = multiply_by_vector(work, positions, probe)
    with np.errstate(invalid="ignore", over="ignore"):
        differences = np.abs(rows @ probe - expected)
    # In this form a difference that is no number is refused.
    return bool(np.all(differences <= compute_tolerance(work) * scale))


def multiply_by_vector(work: ChallengeWork, positions: NDArray[np.int64], probe: Float) -> tuple[Float, float]:
    """Return the entries at `positions` of the whole product times a vector, from right to left, and their root mean square.

    The latter by what is multiplied with A, whose numbers have a variance of 1/3: a few entries would tell it badly.
    """
    kind = np.float32 if work.workload in COARSE else np.float64
    base = build_matrix(work, "B", kind)
    vector = probe.astype(kind)
    for index, shift in reversed(list(enumerate(list_shifts(work)))):
        vector = (base @ vector)[build_order(work, index)] * kind(2.0**-shift)
    last = vector.astype(np.float64)
    return build_rows(work, "A", positions, np.float64) @ last, float(np.linalg.norm(last)) / math.sqrt(3)


def compute_int8_rows(work: ChallengeWork, positions: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return rows of the int8 product: it is not linear, so they are computed again, exactly.

    A sum of n products of int8 is below 2^53, so it is exact in float64, whose products are the quick ones.
    """
    base = build_matrix(work, "B", np.float64)
    dropped = find_requantizing(work)
    rows = build_rows(work, "A", positions, np.int8)
    for index in range(work.count):
        # The columns of the rows are moved to where the rows of B would have been.
        moved = np.empty(rows.shape, np.float64)
        moved[:, build_order(work, index)] = rows
        rows = ((moved @ base).astype(np.int64) >> dropped).astype(np.int8)
    return rows


def compute_leaves(work: ChallengeWork, positions: NDArray[np.int64]) -> Words:
    """Return parts of the folded memory, each word from the few words of the first filling that it depends on."""
    folded = count_folded(work)
    words = (positions[:, None] * LEAF_WORDS + np.arange(LEAF_WORDS)).astype(np.uint64).ravel()
    places = words[None, :] + np.arange(work.width // folded, dtype=np.uint64)[:, None] * np.uint64(folded)
    result = np.zeros(words.size, np.uint32)
    for keys in list_memory_keys(work):
        result ^= np.bitwise_xor.reduce(_follow(work, keys, places, len(keys.factors)), axis=0)
    return result.reshape(len(positions), LEAF_WORDS)


def _follow(work: ChallengeWork, keys: MemoryKeys, places: NDArray[np.uint64], passes: int) -> Words:
    """Return what memory holds at these places after so many passes."""
    if not passes:
        return fill_words(keys, places)
    far = (places + np.uint64(keys.distances[passes - 1])) % np.uint64(work.width)
    factor = np.uint32(keys.factors[passes - 1])
    return (_follow(work, keys, far, passes - 1) * factor) ^ _follow(work, keys, places, passes - 1)
