"""The contract of benchmarks, run on each: whatever one says it can do is right by the platform's own check."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

from keisan.control.challenge_check import OpenedResult, check_opened
from keisan.devices.base import Benchmark
from keisan.devices.benchmark_numpy import NumpyBenchmark
from keisan.devices.benchmark_torch import TorchBenchmark
from keisan.devices.cpu import CpuDriver
from keisan.devices.node import read_node
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.errors import Failed
from keisan.wire.challenge_work import count_leaves
from keisan.wire.device import DeviceReport

SIZES = {Workload.MEMORY: 2**19}
TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed; it is never required")
WORKLOADS = [
    (NumpyBenchmark, Workload.FP64),
    (NumpyBenchmark, Workload.FP32),
    (NumpyBenchmark, Workload.MEMORY),
    *(
        pytest.param(TorchBenchmark, workload, marks=TORCH)
        for workload in (Workload.FP16, Workload.BF16, Workload.INT8)
    ),
]


@pytest.fixture
def device() -> DeviceReport:
    """The processor of this host."""
    [found] = CpuDriver().read_devices(read_node("made"))
    return found


def answer(benchmark: Benchmark, device: DeviceReport, work: ChallengeWork) -> OpenedResult:
    commitment = benchmark.run(device, work, lambda: True)
    positions = tuple(sorted(np.random.default_rng(5).choice(count_leaves(work), 12, replace=False).tolist()))
    return OpenedResult(commitment.build_root(), positions, tuple(commitment.open(index) for index in positions))


@pytest.mark.parametrize(("build", "workload"), WORKLOADS)
def test_answer_is_right_for_its_own_seed_alone(
    build: Callable[[], Benchmark], workload: Workload, device: DeviceReport
) -> None:
    benchmark, width = build(), SIZES.get(workload, 256)
    assert benchmark.can_run(device, workload)
    work, other = (ChallengeWork(workload, width, 3, seed) for seed in ("own", "other"))
    opened = answer(benchmark, device, work)
    assert check_opened(opened, [work, other]) == 0
    assert check_opened(opened, [other, work]) == 1


@pytest.mark.parametrize("build", [NumpyBenchmark, TorchBenchmark])
def test_what_cannot_be_done_is_said_before(build: Callable[[], Benchmark], device: DeviceReport) -> None:
    strange = device.model_copy(update={"chip": "unknown-chip", "hardware_id": "serial 1"})
    assert not build().can_run(strange, Workload.FP32)
    # A format of accelerators.
    assert not build().can_run(device, Workload.TF32)


@pytest.mark.parametrize(
    ("build", "workload"), [(NumpyBenchmark, Workload.FP32), pytest.param(TorchBenchmark, Workload.INT8, marks=TORCH)]
)
def test_want_of_memory_is_a_failure_of_the_tree(
    build: Callable[[], Benchmark], workload: Workload, device: DeviceReport
) -> None:
    with pytest.raises(Failed):
        build().run(device, ChallengeWork(workload, 2**23, 1, "vast"), lambda: True)


@pytest.mark.parametrize(("build", "workload"), WORKLOADS)
def test_work_that_is_not_wanted_any_more_ends_on_the_way(
    build: Callable[[], Benchmark], workload: Workload, device: DeviceReport
) -> None:
    asked: list[None] = []

    def is_wanted() -> bool:
        asked.append(None)
        return len(asked) < 3

    with pytest.raises(Failed, match="time is over"):
        build().run(device, ChallengeWork(workload, SIZES.get(workload, 64), 32, "long"), is_wanted)
    assert len(asked) == 3
