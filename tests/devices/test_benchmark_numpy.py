"""What numpy does on the processor: every block of memory passed over, whatever the distances."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keisan.devices import benchmark_numpy
from keisan.devices.benchmark_numpy import multiply, pass_over_memory
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.wire.challenge_work import build_matrix, build_order, list_shifts


@pytest.mark.parametrize("block_words", [64, 100, 1 << 17])
def test_memory_is_the_same_in_whatever_blocks(block_words: int, monkeypatch: pytest.MonkeyPatch) -> None:
    work = ChallengeWork(Workload.MEMORY, 4096, 2, "5eed")
    with ThreadPoolExecutor(3) as threads:
        whole = pass_over_memory(work, threads, lambda: True)
        monkeypatch.setattr(benchmark_numpy, "BLOCK_WORDS", block_words)
        assert np.array_equal(pass_over_memory(work, threads, lambda: True), whole)
    assert len(np.unique(whole)) > 1000


@pytest.mark.parametrize(
    ("workload", "kind", "epsilon"), [(Workload.FP64, np.float64, 2.0**-52), (Workload.FP32, np.float32, 2.0**-23)]
)
def test_product_is_the_chain_in_its_own_precision(workload: Workload, kind: type[np.generic], epsilon: float) -> None:
    work = ChallengeWork(workload, 128, 3, "5eed")
    exact, base = build_matrix(work, "A", np.longdouble), build_matrix(work, "B", np.longdouble)
    for index, shift in enumerate(list_shifts(work)):
        exact = exact @ base[build_order(work, index)] * np.longdouble(2) ** -shift
    result = multiply(work, lambda: True)
    assert result.dtype == kind
    off = np.abs(result - exact).max()
    # Rounded as this precision rounds, no finer and no coarser.
    assert epsilon / 100 < off < epsilon * 100
