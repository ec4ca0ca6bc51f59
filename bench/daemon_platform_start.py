"""Question: how many CPU seconds and how much memory do platform, gateway and site take to start?

Method: `keisan up` without a model, ROUNDS times in one directory; CPU and memory of each process when all are ready. Reference:
issue 6, 3 CPU seconds and 250 MB a platform; and the usual libraries, imported whole in the same run. Wrong if: it takes more.
"""

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

ROUNDS = 5
QUICK_ROUNDS = 2
TARGET_CPU_S = 3.0
TARGET_MIB = 250
USUAL = "import fastapi, sqlalchemy.ext.asyncio, uvicorn, alembic.operations, httpx"
KEISAN = Path(sys.executable).with_name("keisan")
NAMES = ("platform", "gateway", "site")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took until all three were ready."""

    cpu_s: float
    resident_mib: float
    proportional_mib: float


def build_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which what is imported is compiled once, as in an installation, and no model is served."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("KEISAN_")}
    if environment.pop("PYTHONDONTWRITEBYTECODE", None):
        environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    return environment | {"KEISAN_FIRST_START__REPLICA_COUNT": "0"}


def measure_start(data: Path, environment: dict[str, str]) -> dict[str, Cost]:
    """Start, read what each process took, stop."""
    addresses = ["--gateway", "127.0.0.1:0", "--platform", "127.0.0.1:0"]
    command = [str(KEISAN), "up", "--json", "--data", str(data), *addresses]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), "keisan up is ready"
            return {name: read_cost(json.loads((data / "run" / f"{name}.json").read_text())["pid"]) for name in NAMES}
        finally:
            process.send_signal(signal.SIGINT)


def read_cost(process_id: int) -> Cost:
    """Return what a process has taken until now."""
    process = psutil.Process(process_id)
    times, memory = process.cpu_times(), process.memory_full_info()
    return Cost(times.user + times.system, memory.rss / 2**20, memory.pss / 2**20)


def measure_usual(environment: dict[str, str]) -> float:
    """Return the CPU seconds of an interpreter that imports the usual libraries."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", USUAL], env=environment, check=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print one JSON line."""
    rounds = QUICK_ROUNDS if "--quick" in sys.argv else ROUNDS
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        environment, data = build_environment(Path(folder)), Path(folder) / "data"
        first = measure_start(data, environment)
        measure_usual(environment)
        usual_s = statistics.median(measure_usual(environment) for _ in range(rounds))
        later = [measure_start(data, environment) for _ in range(rounds)]
    totals = sorted(sum(cost.cpu_s for cost in start.values()) for start in later)
    processes = {
        name: {
            "cpu_s": round(statistics.median(start[name].cpu_s for start in later), 2),
            "resident_mib": round(statistics.median(start[name].resident_mib for start in later)),
            "proportional_mib": round(statistics.median(start[name].proportional_mib for start in later)),
        }
        for name in NAMES
    }
    proportional_mib = sum(each["proportional_mib"] for each in processes.values())
    print(
        json.dumps(
            {
                "bench": "daemon_platform_start",
                "n": rounds,
                "p50": round(statistics.median(totals), 2),
                "p99": round(totals[-1], 2),
                "spread": [round(totals[0], 2), round(totals[-1], 2)],
                "unit": "CPU seconds of a later start",
                "first_start_cpu_s": round(sum(cost.cpu_s for cost in first.values()), 2),
                "processes": processes,
                "resident_mib": sum(each["resident_mib"] for each in processes.values()),
                "proportional_mib": proportional_mib,
                "usual_imports_cpu_s": round(usual_s, 2),
                "ratio": round(statistics.median(totals) / usual_s, 2),
                "ratio_to_target": round(statistics.median(totals) / TARGET_CPU_S, 2),
                "memory_ratio_to_target": round(proportional_mib / TARGET_MIB, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
