"""Question: how many device samples a second does a platform take, how fresh is what it shows, and in what memory?

Method: frames of several sizes, and roll-ups, within a process; then platform, `keisan simulate fleet` and an independent reader, a process each.
Reference: the same frames read by Arrow and nothing else, in the same run (`bare_samples_per_s_core_by_frame`).
Wrong if: a site's sum is not the one that its frame held, a region's not its sites', or devices are missing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from stage.fleet import REGIONS, build_fleet, roll_up, take_frames, write_frames
from stage.fleet_watch import FleetRun, watch_fleet

SIZES = (100_000, 1_000_000, 2_000_000)
QUICK_SIZES = (100_000, 200_000)
# Devices to a frame, and how many sites of each of the 31 regions send one.
FRAME_SITES = {8: 40, 128: 8, 1024: 2, 4096: 1}
ROUNDS = 5
TENTH = 0.1
RUN = FleetRun(devices=1_000_000, sites=8, period_s=10, duration_s=600)
QUICK_RUN = FleetRun(devices=100_000, sites=1, period_s=1, duration_s=20)


def measure_frames() -> dict[str, object]:
    """Return samples per second and core by devices in a frame, of the fleet and of bare Arrow."""
    taken: dict[int, int] = {}
    bare: dict[int, int] = {}
    for devices, sites in FRAME_SITES.items():
        count = REGIONS * sites * devices
        stage = build_fleet(count, sites)
        cpu_s, bare_s = [], []
        for period in range(1, ROUNDS + 1):
            frames = list(write_frames(stage, period))
            cpu_s.append(take_frames(stage, frames, period))
            began_s = time.process_time()
            for _, body in frames:
                for column in pa.ipc.open_stream(body).read_next_batch().columns:
                    column.to_numpy(zero_copy_only=False)
            bare_s.append(time.process_time() - began_s)
        taken[devices], bare[devices] = (
            round(count / statistics.median(cpu_s)),
            round(count / statistics.median(bare_s)),
        )
    return {"samples_per_s_core_by_frame": taken, "bare_samples_per_s_core_by_frame": bare}


def measure_size(devices: int) -> dict[str, int | float]:
    """Return memory and roll-up times of a fleet of this size; to be called in a process of its own."""
    before_bytes = read_resident_bytes()
    stage = build_fleet(devices, 8)
    for period in (1, 2):
        for frame in write_frames(stage, period):
            take_frames(stage, [frame], period)
        roll_up(stage, period, 1.0)
    memory_bytes = read_resident_bytes() - before_bytes
    whole = [roll_up(stage, 2, 1.0) for _ in range(ROUNDS)]
    tenth = [roll_up(stage, 2, TENTH) for _ in range(ROUNDS)]
    region = [roll_up(stage, 2, 1 / 31) for _ in range(ROUNDS)]
    return {
        "devices": devices,
        # Of the simulation's own state too, which is as large again: what is reported whole is the platform's process below.
        "memory_bytes": memory_bytes,
        "rollup_all_ms": round(statistics.median(whole) * 1000, 2),
        "rollup_tenth_ms": round(statistics.median(tenth) * 1000, 2),
        "rollup_region_ms": round(statistics.median(region) * 1000, 2),
    }


def read_resident_bytes() -> int:
    """Return the memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_size(devices: int) -> dict[str, int | float]:
    """Measure a size in a new process, whose memory is that of nothing else."""
    command = [sys.executable, __file__, "--size", str(devices)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    found: dict[str, int | float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--size", type=int, help="one size within this process, and nothing else")
    parser.add_argument("--devices", type=int, help="devices of the whole run")
    parser.add_argument("--duration", type=int, help="seconds of the whole run")
    options = parser.parse_args()
    if options.size:
        print(json.dumps(measure_size(options.size)))
        return
    # A tenth of the devices ten times as often: as many samples a second in frames as large, and sooner settled.
    run = QUICK_RUN if options.quick else RUN
    run = replace(run, devices=options.devices or run.devices, duration_s=options.duration or run.duration_s)
    line: dict[str, object] = {"bench": "fleet_ingest", **measure_frames()}
    sizes = [run_size(size) for size in (QUICK_SIZES if options.quick else SIZES)]
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        line |= {"sizes": sizes, **watch_fleet(replace(run, folder=Path(folder)))}
    print(json.dumps(line | {"rollup_ms": sizes[-1 if options.quick else 1]["rollup_tenth_ms"]}))


if __name__ == "__main__":
    main()
