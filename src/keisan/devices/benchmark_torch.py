"""The work of challenges by PyTorch, where it is installed: on accelerators, and on the processor what numpy has not.

PyTorch is never required and never imported before a challenge comes that only it could answer.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keisan.devices.base import check_wanted
from keisan.devices.node import count_cpus
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.errors import Failed
from keisan.wire.challenge_proof import Commitment
from keisan.wire.challenge_work import (
    ENTRY_BITS,
    FIRST_FACTOR,
    LEAF_WORDS,
    NEXT_FACTOR,
    build_order,
    count_folded,
    count_leaves,
    derive_keys,
    find_requantizing,
    list_memory_keys,
    list_shifts,
)
from keisan.wire.device import DeviceReport

# No requirement asks for it: each maker of chips ships a build of its own, and the site has the one for its devices.
PYTORCH = "torch"
# PyTorch ships no types that this checks against: what is of it is open here, and does not leave this file.
Torch = Any
Tensor = Any
DTYPES = {
    Workload.FP64: "float64",
    Workload.FP32: "float32",
    Workload.TF32: "float32",
    Workload.FP16: "float16",
    Workload.BF16: "bfloat16",
    Workload.INT8: "int8",
}
# On a processor numpy is quicker at what it can, and tf32 is a format of accelerators.
PROCESSOR_WORKLOADS = frozenset({Workload.FP16, Workload.BF16, Workload.INT8})
MASK = 0xFFFF_FFFF
BLOCK_NUMBERS = 1 << 24


class TorchBenchmark:
    """Products in every precision and memory, on whatever device PyTorch finds under the device's UUID."""

    name = "torch"

    def can_run(self, device: DeviceReport, workload: Workload) -> bool:
        """Tell whether PyTorch is here and finds the device."""
        if device.chip.startswith("cpu-") and workload not in PROCESSOR_WORKLOADS:
            return False
        return load_torch() is not None and find_place(device) is not None

    def run(self, device: DeviceReport, work: ChallengeWork, is_wanted: Callable[[], bool]) -> Commitment:
        """Do the work; raises Failed when the device cannot, for example for want of memory, or once it is not wanted."""
        torch, place = load_torch(), find_place(device)
        if torch is None or place is None:
            raise Failed("PyTorch does not find the device")
        try:
            return TorchRun(torch, torch.device(place), work, is_wanted).work()
        except RuntimeError as fault:
            raise Failed("PyTorch could not do the challenge's work", str(fault)) from fault


@functools.cache
def load_torch() -> Torch | None:
    """Return PyTorch, None where it is not installed or cannot be loaded."""
    if importlib.util.find_spec(PYTORCH) is None:
        return None
    try:
        return importlib.import_module(PYTORCH)
    except (ImportError, OSError):
        return None


def find_place(device: DeviceReport) -> str | None:
    """Return what PyTorch calls a device: by its UUID, or as the only one of its kind; None if that cannot be told."""
    if device.chip.startswith("cpu-"):
        return "cpu"
    torch = load_torch()
    if torch is None or not torch.accelerator.is_available():
        return None
    kind, count = torch.accelerator.current_accelerator().type, torch.accelerator.device_count()
    if kind == "cuda":
        for index in range(count):
            if str(torch.cuda.get_device_properties(index).uuid).lower() in device.hardware_id.lower():
                return f"cuda:{index}"
    return f"{kind}:0" if count == 1 else None


class TorchRun:
    """One piece of work on one device."""

    def __init__(
        self, torch: Torch, place: Tensor, work: ChallengeWork, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        self._is_wanted = is_wanted
        self._torch = torch
        self._place = place
        self._work = work

    def work(self) -> Commitment:
        """Do the work and commit to its result."""
        if self._work.workload is Workload.MEMORY:
            parts = self.pass_over_memory().cpu().numpy().reshape(-1, LEAF_WORDS)
            return Commitment(count_leaves(self._work), lambda index: parts[index].tobytes())
        result = self.multiply()
        if self._work.workload is Workload.BF16:
            result = result.view(self._torch.int16)
        rows = result.cpu().numpy()
        with ThreadPoolExecutor(count_cpus()) as threads:
            return Commitment(count_leaves(self._work), lambda index: rows[index].tobytes(), threads)

    def multiply(self) -> Tensor:
        """Return the product of all factors, on the device."""
        torch, work = self._torch, self._work
        torch.set_float32_matmul_precision("high" if work.workload is Workload.TF32 else "highest")
        result, base = self._build_matrix("A"), self._build_matrix("B")
        for index, shift in enumerate(list_shifts(work)):
            check_wanted(self._is_wanted)
            order = torch.from_numpy(build_order(work, index)).to(self._place)
            if work.workload is Workload.INT8:
                result = (torch._int_mm(result, base[order]) >> find_requantizing(work)).to(torch.int8)  # noqa: SLF001  # its only product of int8
            else:
                result = result @ base[order]
                result *= 2.0**-shift
        return result

    def pass_over_memory(self) -> Tensor:
        """Return memory folded, after all rounds and passes."""
        torch, work = self._torch, self._work
        folded = torch.zeros(count_folded(work), dtype=torch.int32, device=self._place)
        now = torch.empty(work.width, dtype=torch.int32, device=self._place)
        after = torch.empty_like(now)
        for keys in list_memory_keys(work):
            torch.arange(work.width, out=now)
            now.mul_(_sign(keys.step)).add_(_sign(keys.start))
            torch.bitwise_right_shift(now, 16, out=after)
            now.bitwise_xor_(after.bitwise_and_(0xFFFF))
            for distance, factor in zip(keys.distances, keys.factors, strict=True):
                check_wanted(self._is_wanted)
                near = work.width - distance
                torch.mul(now[distance:], _sign(factor), out=after[:near])
                torch.mul(now[:distance], _sign(factor), out=after[near:])
                after.bitwise_xor_(now)
                now, after = after, now
            rows = now.view(-1, folded.numel())
            while len(rows) > 1:
                half = len(rows) // 2
                rows = rows[:half].bitwise_xor_(rows[half:])
            folded.bitwise_xor_(rows[0])
        return folded

    def _build_matrix(self, label: str) -> Tensor:
        torch, work = self._torch, self._work
        made = torch.empty(work.width * work.width, dtype=getattr(torch, DTYPES[work.workload]), device=self._place)
        for first in range(0, made.numel(), BLOCK_NUMBERS):
            end = min(first + BLOCK_NUMBERS, made.numel())
            made[first:end] = self._build_numbers(label, first, end)
        return made.view(work.width, work.width)

    def _build_numbers(self, label: str, first: int, end: int) -> Tensor:
        """Return numbers as challenge_work makes them; in 64 bits, of which the lower 32 are kept."""
        torch = self._torch
        mask, offset = derive_keys(self._work.seed, label)
        words = torch.arange(first, end, dtype=torch.int64, device=self._place)
        words = ((words ^ mask) + offset) & MASK
        words ^= words >> 16
        words = (words * FIRST_FACTOR) & MASK
        words ^= words >> 15
        words = (words * NEXT_FACTOR) & MASK
        words ^= words >> 16
        bits = ENTRY_BITS[self._work.workload]
        whole = words.to(torch.int32) >> (32 - bits)
        if self._work.workload is Workload.INT8:
            return whole.to(torch.int8)
        return whole.to(torch.float64) * 2.0 ** (1 - bits)


def _sign(word: int) -> int:
    """Return a word of 32 bits as the signed number with the same bits."""
    return int(np.uint32(word).astype(np.int32))
