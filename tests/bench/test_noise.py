"""Foreign CPU is what is busy on the host and neither the bench's nor the kernel's own."""

import os

import pytest

from stage.noise import CpuReading, measure_foreign_share


def read(at_s: float, idle_s: float, kernel_s: float = 0.0, own_s: float = 0.0) -> CpuReading:
    return CpuReading(int(at_s * 1e9), idle_s, kernel_s, kernel_s, int(own_s * 1e9))


def test_foreign_is_what_is_left_of_busy() -> None:
    cores = os.cpu_count() or 1
    before = read(10.0, 100.0)
    # Two seconds: one of foreign work, half a second of ours, a tenth each of interrupts and kernel threads.
    after = read(12.0, 100.0 + 2.0 * cores - 1.7, kernel_s=0.1, own_s=0.3)
    assert measure_foreign_share(before, after, 0.2) == pytest.approx(0.5)


def test_clocks_that_disagree_give_no_negative_share() -> None:
    cores = os.cpu_count() or 1
    assert measure_foreign_share(read(0.0, 0.0), read(1.0, 1.0 * cores, own_s=0.1), 0.0) == 0.0
