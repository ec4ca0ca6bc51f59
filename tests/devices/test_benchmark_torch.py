"""PyTorch's part: never loaded unasked, absent without harm, and the same numbers as numpy makes where it is there."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from keisan.devices import benchmark_torch
from keisan.devices.benchmark_numpy import pass_over_memory
from keisan.devices.benchmark_torch import TorchBenchmark, TorchRun, find_place, load_torch
from keisan.devices.cpu import CpuDriver
from keisan.devices.node import read_node
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.errors import Failed
from keisan.wire.challenge_work import build_matrix
from keisan.wire.device import DeviceReport

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed; it is never required")
UUID = "1b2c3d4e-0000-4000-8000-000000000001"


def report(hardware_id: str = f"GPU-{UUID}", chip: str = "nvidia-h20") -> DeviceReport:
    [device] = CpuDriver().read_devices(read_node("made"))
    return device.model_copy(update={"hardware_id": hardware_id, "chip": chip})


def test_torch_is_not_loaded_with_the_module() -> None:
    code = "import sys; import keisan.daemon.site; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_without_torch_nothing_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_torch, "load_torch", lambda: None)
    assert not TorchBenchmark().can_run(report(), Workload.FP16)
    assert not TorchBenchmark().can_run(report(chip="cpu-x86-64"), Workload.FP16)
    with pytest.raises(Failed):
        TorchBenchmark().run(report(), ChallengeWork(Workload.FP16, 64, 1, ""), lambda: True)


def describe_accelerators(kind: str, uuids: list[str]) -> ModuleType:
    """Return what PyTorch says of a host with these accelerators; which device is meant is decided by nothing else."""
    module = ModuleType("torch")
    accelerator = SimpleNamespace(
        is_available=lambda: bool(uuids),
        current_accelerator=lambda: SimpleNamespace(type=kind),
        device_count=lambda: len(uuids),
    )
    cuda = SimpleNamespace(get_device_properties=lambda index: SimpleNamespace(uuid=uuids[index]))
    module.__dict__.update(accelerator=accelerator, cuda=cuda)
    return module


@pytest.mark.parametrize(
    ("kind", "uuids", "place"),
    [
        ("cuda", ["aaaa", UUID.upper(), "bbbb"], "cuda:1"),
        ("cuda", ["aaaa", "bbbb"], None),
        ("cuda", ["aaaa"], "cuda:0"),
        ("npu", ["-"], "npu:0"),
        ("npu", ["-", "-"], None),
        ("cuda", [], None),
    ],
)
def test_device_is_found_by_its_uuid_or_as_the_only_one(
    kind: str, uuids: list[str], place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_torch, "load_torch", lambda: describe_accelerators(kind, uuids))
    assert find_place(report()) == place
    assert find_place(report(chip="cpu-x86-64")) == "cpu"


@needs_torch
@pytest.mark.parametrize("workload", [workload for workload in Workload if workload is not Workload.MEMORY])
def test_matrices_are_those_that_numpy_makes(workload: Workload) -> None:
    torch = load_torch()
    assert torch is not None
    work = ChallengeWork(workload, 96, 1, "5eed")
    made = TorchRun(torch, torch.device("cpu"), work)._build_matrix("B").to(torch.float64).numpy()
    assert np.array_equal(made, build_matrix(work, "B", np.float64))


@needs_torch
def test_memory_is_what_numpy_makes_of_it() -> None:
    torch = load_torch()
    assert torch is not None
    work = ChallengeWork(Workload.MEMORY, 2**18, 2, "5eed")
    with ThreadPoolExecutor(2) as threads:
        expected = pass_over_memory(work, threads, lambda: True)
    made = TorchRun(torch, torch.device("cpu"), work).pass_over_memory().numpy().view(np.uint32)
    assert np.array_equal(made, expected)
