"""The work of challenges on the processor, by numpy: its BLAS for products, all processors over memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from keisan.devices.base import check_wanted
from keisan.devices.node import count_cpus
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.errors import Failed
from keisan.wire.challenge_proof import Commitment
from keisan.wire.challenge_work import (
    LEAF_WORDS,
    MemoryKeys,
    Numbers,
    Words,
    build_matrix,
    build_order,
    count_folded,
    count_leaves,
    fill_words,
    list_memory_keys,
    list_shifts,
)
from keisan.wire.device import DeviceReport

KINDS: dict[Workload, type[np.generic]] = {Workload.FP64: np.float64, Workload.FP32: np.float32}
WORKLOADS = frozenset(KINDS) | {Workload.MEMORY}
# What a thread reads and writes at a time: the second operation on it finds it in the cache.
BLOCK_WORDS = 1 << 17


class NumpyBenchmark:
    """Products in fp64 and fp32, and memory."""

    name = "numpy"

    def can_run(self, device: DeviceReport, workload: Workload) -> bool:
        """Tell whether the device is a processor and the workload one of these."""
        return device.chip.startswith("cpu-") and workload in WORKLOADS

    def run(self, device: DeviceReport, work: ChallengeWork, is_wanted: Callable[[], bool]) -> Commitment:  # noqa: ARG002  # the contract's
        """Do the work; raises Failed for want of memory, or once it is not wanted."""
        try:
            with ThreadPoolExecutor(count_cpus()) as threads:
                if work.workload is Workload.MEMORY:
                    folded = pass_over_memory(work, threads, is_wanted)
                    parts = folded.reshape(-1, LEAF_WORDS)
                    return Commitment(count_leaves(work), lambda index: parts[index].tobytes())
                result = multiply(work, is_wanted)
                return Commitment(count_leaves(work), lambda index: result[index].tobytes(), threads)
        except MemoryError as fault:
            raise Failed("there is not enough memory for the challenge", str(fault)) from fault


def multiply(work: ChallengeWork, is_wanted: Callable[[], bool]) -> Numbers:
    """Return the product of all factors; raises Failed once it is not wanted."""
    kind = KINDS[work.workload]
    result, base = build_matrix(work, "A", kind), build_matrix(work, "B", kind)
    for index, shift in enumerate(list_shifts(work)):
        check_wanted(is_wanted)
        result = result @ base[build_order(work, index)]
        result *= kind(2.0**-shift)
    return result


def pass_over_memory(work: ChallengeWork, threads: ThreadPoolExecutor, is_wanted: Callable[[], bool]) -> Words:
    """Return memory folded, after all rounds and passes; raises Failed once it is not wanted."""
    folded = np.zeros(count_folded(work), np.uint32)
    now, after = np.empty(work.width, np.uint32), np.empty(work.width, np.uint32)
    for keys in list_memory_keys(work):
        _share_out(threads, work.width, partial(_fill, keys, now))
        for number in range(len(keys.factors)):
            check_wanted(is_wanted)
            _share_out(threads, work.width, partial(_pass, keys, number, (now, after)))
            now, after = after, now
        folded ^= np.bitwise_xor.reduce(now.reshape(-1, folded.size), axis=0)
    return folded


def _share_out(threads: ThreadPoolExecutor, word_count: int, work_on: Callable[[int, int], None]) -> None:
    """Do all blocks, side by side; the first fault is raised."""
    starts = range(0, word_count, BLOCK_WORDS)
    list(threads.map(lambda first: work_on(first, min(first + BLOCK_WORDS, word_count)), starts))


def _fill(keys: MemoryKeys, words: Words, first: int, end: int) -> None:
    words[first:end] = fill_words(keys, np.arange(first, end, dtype=np.uint64))


def _pass(keys: MemoryKeys, number: int, buffers: tuple[Words, Words], first: int, end: int) -> None:
    now, after = buffers
    factor, size = np.uint32(keys.factors[number]), len(now)
    begin = (first + keys.distances[number]) % size
    count = min(end - first, size - begin)
    np.multiply(now[begin : begin + count], factor, out=after[first : first + count])
    if first + count < end:
        np.multiply(now[: end - first - count], factor, out=after[first + count : end])
    np.bitwise_xor(after[first:end], now[first:end], out=after[first:end])
