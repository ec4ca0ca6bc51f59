"""Question: what does one routing decision cost: hash the prompt, look into each candidate's memory, rank, note?

Method: crates/route/benches/decision.rs, 400 rounds of 200 us and more a case; every block is warm at every candidate.
Reference: a copy of the prompt, in the same run; the target: 1 us for three candidates and 1 KB, 1 ms for 1 MB.
Wrong if: the median at 1 KB is over 1 us, or hashing 1 MB takes over 1 ms. The p99 is mostly what else the host does.
"""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD_S_MAX = 1_800
TARGET_NS = 1_000
ROUNDS = 400


def main() -> None:
    """Build, measure and print one JSON line."""
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "keisan-route", "--bench", "decision"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=BUILD_S_MAX)
    cases = json.loads(done.stdout.strip().splitlines()[-1])
    decide = cases["1k_3"]["decide"]
    report = {
        "bench": "route_decision",
        "n": ROUNDS,
        "p50_ns": decide["p50_ns"],
        "p99_ns": decide["p99_ns"],
        "spread_ns": [decide["min_ns"], decide["p99_ns"]],
        "ratio_to_target": round(decide["p50_ns"] / TARGET_NS, 2),
        "ratio_to_copy": {
            name: round(case["decide"]["p50_ns"] / case["copy"]["p50_ns"], 2) for name, case in cases.items()
        },
        "cases": cases,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
