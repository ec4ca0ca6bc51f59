"""Foreign CPU: how much of the two cores went to what is no part of the bench, during a window.

Kernel threads do not count as foreign: they sync the spool and move packets. A host that takes a core away (steal) does.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from stage.process import FLAGS, SYSTEM_TICKS, USER_TICKS, read_cpu_ns, read_process_lines

# Above this share of one core a window is spoilt.
FOREIGN_SHARE_MAX = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KERNEL_THREAD_FLAG = 0x0020_0000


@dataclass(frozen=True, slots=True)
class CpuReading:
    """The state of the host's CPU clocks at one time."""

    at_ns: int
    idle_s: float
    interrupt_s: float
    kernel_thread_s: float
    own_ns: int


def read_host(own_ids: frozenset[int]) -> CpuReading:
    """Read the clocks; `own_ids` are the processes of the bench."""
    fields = [int(field) / _TICKS_PER_S for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return CpuReading(
        at_ns=time.monotonic_ns(),
        idle_s=fields[3] + fields[4],
        interrupt_s=fields[5] + fields[6],
        kernel_thread_s=_sum_kernel_threads_s(),
        own_ns=sum(read_cpu_ns(one) for one in own_ids),
    )


def measure_foreign_share(before: CpuReading, after: CpuReading, ended_own_s: float) -> float:
    """Return the foreign CPU time of a window as a share of one core; `ended_own_s` is that of own processes that ended."""
    window_s = (after.at_ns - before.at_ns) / 1e9
    busy_s = window_s * (os.cpu_count() or 1) - (after.idle_s - before.idle_s)
    own_s = (after.own_ns - before.own_ns) / 1e9 + ended_own_s
    kernel_s = after.interrupt_s - before.interrupt_s + after.kernel_thread_s - before.kernel_thread_s
    return max(0.0, (busy_s - own_s - kernel_s) / window_s)


def _sum_kernel_threads_s() -> float:
    ticks = sum(
        int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])
        for fields in read_process_lines()
        if int(fields[FLAGS]) & _KERNEL_THREAD_FLAG
    )
    return ticks / _TICKS_PER_S
