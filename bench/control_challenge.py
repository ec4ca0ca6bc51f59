"""Question: how much of what a processor can do does a challenge measure, and what does its check cost the platform?

Method: rounds, each with a fresh seed; the work is done and committed to as an agent does it, opened and checked as the platform does.
Reference: plain products of numpy of the same width and precision, and a plain copy of as much memory, in the same round.
Wrong if: a right answer is refused, or the check costs more processor time than a fifth of the work that it checks.
"""

import argparse
import json
import secrets
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from keisan.control.challenge_check import OpenedResult, check_opened
from keisan.devices.benchmark_numpy import KINDS, NumpyBenchmark
from keisan.devices.cpu import CpuDriver
from keisan.devices.node import read_node
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.challenge_rule import ChallengeTerms, count_work, plan_work
from keisan.domain.limits import CHALLENGE_POSITIONS
from keisan.wire.challenge_work import build_matrix, count_leaves

ROUNDS = 9
QUICK_ROUNDS = 3
COPY_BYTES = 2**28
# Claims for which a machine of two cores and one of sixteen are given their work.
CLAIMS = {Workload.FP64: 50e9, Workload.FP32: 200e9, Workload.MEMORY: 10e9}


def take_time(work_on: Callable[[], object]) -> tuple[float, float, object]:
    """Return wall seconds, processor seconds, and what came of it."""
    started, cpu = time.perf_counter(), time.process_time()
    result = work_on()
    return time.perf_counter() - started, time.process_time() - cpu, result


def measure_reference(work: ChallengeWork) -> float:
    """Return the rate of plain numpy: operations a second, or bytes a second that are read and written."""
    if work.workload is Workload.MEMORY:
        # Both are written before: a page that nobody has touched is not in memory yet.
        source, target = np.ones(COPY_BYTES // 8), np.ones(COPY_BYTES // 8)
        copied_s, _, _ = take_time(lambda: np.copyto(target, source))
        return 2 * COPY_BYTES / copied_s
    left, right = (build_matrix(work, label, KINDS[work.workload]) for label in "AB")
    result = left @ right
    count = max(work.count // 2, 2)
    multiplied_s, _, _ = take_time(lambda: [np.matmul(left, right, out=result) for _ in range(count)])
    return 2 * count * work.width**3 / multiplied_s


def measure_round(workload: Workload) -> dict[str, float]:
    """Return one round: rates of the challenge and the reference, and what the check cost."""
    [device] = CpuDriver().read_devices(read_node("bench"))
    work = plan_work(workload, secrets.token_hex(32), int(CLAIMS[workload]), device.memory_bytes, ChallengeTerms())
    reference_per_s = measure_reference(work)
    began = time.perf_counter()
    worked_cpu = time.process_time()
    commitment = NumpyBenchmark().run(device, work, lambda: True)
    root = commitment.build_root()
    elapsed_s, worked_s = time.perf_counter() - began, time.process_time() - worked_cpu
    positions = tuple(sorted(secrets.SystemRandom().sample(range(count_leaves(work)), CHALLENGE_POSITIONS)))
    opened = OpenedResult(root, positions, tuple(commitment.open(index) for index in positions))
    check_s, check_cpu_s, index = take_time(lambda: check_opened(opened, [work]))
    assert index == 0, "a right answer was refused"
    return {
        "rate_per_s": count_work(work) / elapsed_s,
        "share": count_work(work) / elapsed_s / reference_per_s,
        "check_s": check_s,
        "check_cpu_s": check_cpu_s,
        "check_share": check_cpu_s / worked_s,
        "answer_bytes": sum(len(leaf) * 4 // 3 + 66 * len(path) for leaf, path in opened.leaves),
    }


def summarize(rounds: list[dict[str, float]]) -> dict[str, object]:
    """Return the medians of rounds, and how far the shares spread."""
    shares = sorted(each["share"] for each in rounds)
    check_share = median(each["check_share"] for each in rounds)
    assert check_share < 0.2, f"the check costs {check_share:.0%} of the work"
    return {
        "measured_giga_per_s": round(median(each["rate_per_s"] for each in rounds) / 1e9, 2),
        "share_of_reference_p50": round(median(shares), 3),
        "share_of_reference_spread": [round(shares[0], 3), round(shares[-1], 3)],
        "check_cpu_ms_p50": round(median(each["check_cpu_s"] for each in rounds) * 1e3, 1),
        "check_cpu_ms_max": round(max(each["check_cpu_s"] for each in rounds) * 1e3, 1),
        "check_share_of_work": round(check_share, 4),
        "answer_bytes": round(median(each["answer_bytes"] for each in rounds)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    count = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
    measured: dict[Workload, list[dict[str, float]]] = {workload: [] for workload in CLAIMS}
    # One after the other within a round, so that what else the machine does falls on all.
    for _ in range(count):
        for workload, rounds in measured.items():
            rounds.append(measure_round(workload))
    told = {str(workload): summarize(rounds) for workload, rounds in measured.items()}
    print(json.dumps({"bench": "control_challenge", "n": count, **told}))


if __name__ == "__main__":
    main()
