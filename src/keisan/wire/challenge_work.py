"""The numbers that a challenge's seed stands for: part of what crosses, since both sides must make the same ones.

A counter is hashed to 32 bits, so any part of a matrix can be made alone, by numpy here and by any other library there.
A product is A x B1 x ... x Bm, where Bj is B with its rows in a seeded order: no power of B and no shorter way is in it.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.challenge_rule import MEMORY_PASSES

Words = NDArray[np.uint32]
Numbers = NDArray[Any]

# Source of the multipliers: Wellons, "Prospecting for hash functions", 2018 (lowbias32, bias 0.17).
FIRST_FACTOR = 0x7FEB352D
NEXT_FACTOR = 0x846CA68B
# Entries are whole numbers of so many bits, times a power of two: a precision that holds fewer cannot even hold the input.
ENTRY_BITS = {
    Workload.FP64: 32,
    Workload.FP32: 24,
    Workload.TF32: 11,
    Workload.FP16: 11,
    Workload.BF16: 8,
    Workload.INT8: 8,
}
# How many numbers are made at a time: what this needs stays within a processor's cache.
BLOCK_NUMBERS = 1 << 16
LEAF_WORDS = 4
FOLDED_WORDS_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class MemoryKeys:
    """What one round over memory is made of: the first filling, then for each pass a distance and an odd factor."""

    start: int
    step: int
    distances: tuple[int, ...]
    factors: tuple[int, ...]


def derive_keys(seed: str, label: str) -> tuple[int, int]:
    """Return two numbers of 32 bits that a seed gives for a purpose."""
    digest = hashlib.sha256(f"{seed}:{label}".encode()).digest()
    return int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big")


def mix_words(words: Words) -> None:
    """Hash each word in place."""
    words ^= words >> 16
    words *= np.uint32(FIRST_FACTOR)
    words ^= words >> 15
    words *= np.uint32(NEXT_FACTOR)
    words ^= words >> 16


def hash_counters(seed: str, label: str, first: int, count: int) -> Words:
    """Return the hashes of `count` counters from `first` on."""
    mask, offset = derive_keys(seed, label)
    words = np.arange(first, first + count, dtype=np.uint64).astype(np.uint32)
    words ^= np.uint32(mask)
    words += np.uint32(offset)
    mix_words(words)
    return words


def build_rows(work: ChallengeWork, label: str, rows: range | NDArray[np.int64], kind: DTypeLike) -> Numbers:
    """Return rows of the matrix `label`, of numbers in [-1, 1), or from -128 to 127 for int8."""
    made = np.empty((len(rows), work.width), kind)
    for index, row in enumerate(rows):
        made[index] = _to_numbers(hash_counters(work.seed, label, int(row) * work.width, work.width), work.workload)
    return made


def build_matrix(work: ChallengeWork, label: str, kind: DTypeLike) -> Numbers:
    """Return the whole matrix `label`."""
    made = np.empty(work.width * work.width, kind)
    for first in range(0, made.size, BLOCK_NUMBERS):
        count = min(BLOCK_NUMBERS, made.size - first)
        made[first : first + count] = _to_numbers(hash_counters(work.seed, label, first, count), work.workload)
    return made.reshape(work.width, work.width)


def _to_numbers(words: Words, workload: Workload) -> Numbers:
    bits = ENTRY_BITS[workload]
    whole = words.view(np.int32) >> (32 - bits)
    return whole if workload is Workload.INT8 else whole * 2.0 ** (1 - bits)


def build_order(work: ChallengeWork, index: int) -> NDArray[np.int64]:
    """Return in which order factor `index`, from 0, has the rows of B."""
    keys = hash_counters(work.seed, f"order {index}", 0, work.width)
    return np.argsort(keys, kind="stable")


def list_shifts(work: ChallengeWork) -> list[int]:
    """Return by which power of two each product is made smaller, so that numbers stay near one.

    A sum of n products with numbers of [-1, 1) grows by the root of n / 3.
    """
    growth = math.log2(work.width / 3) / 2
    return [round((index + 1) * growth) - round(index * growth) for index in range(work.count)]


def find_requantizing(work: ChallengeWork) -> int:
    """Return how many low bits of a product of int8 are dropped before its next eight are kept."""
    return math.ceil(math.log2(work.width) / 2) + 6


def list_memory_keys(work: ChallengeWork) -> Iterator[MemoryKeys]:
    """Yield the keys of each round over memory."""
    for index in range(work.count):
        start, step = derive_keys(work.seed, f"fill {index}")
        passes = [derive_keys(work.seed, f"pass {index} {number}") for number in range(MEMORY_PASSES)]
        yield MemoryKeys(
            start,
            step | 1,
            # Never near: what lies side by side would be in the processor's cache.
            tuple(work.width // 8 + distance % (work.width * 3 // 4) for distance, _ in passes),
            tuple(factor | 1 for _, factor in passes),
        )


def fill_words(keys: MemoryKeys, positions: NDArray[np.uint64]) -> Words:
    """Return what memory holds at these places before the first pass."""
    words = positions.astype(np.uint32)
    words *= np.uint32(keys.step)
    words += np.uint32(keys.start)
    words ^= words >> 16
    return words


def count_folded(work: ChallengeWork) -> int:
    """Return to how many words memory is folded at the end."""
    return min(FOLDED_WORDS_MAX, work.width // 4)


def count_leaves(work: ChallengeWork) -> int:
    """Return how many parts a result has, one of which is asked for at a time: rows, or a few words."""
    return count_folded(work) // LEAF_WORDS if work.workload is Workload.MEMORY else work.width
