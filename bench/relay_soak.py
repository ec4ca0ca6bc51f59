"""Question: does the gateway's memory stay flat over a million calls, and is each of them on record once?

Method: JSON and streamed calls at full speed; resident memory at a tenth and at the end, and medians after each.
Reference: DESIGN section 7: at most 2 % growth after the first tenth; usage lost or doubled: 0.
Wrong if: a call fails, records are not counted by their ids, or the allocator's slack hides growth in the first tenth.
"""

import argparse
import json
import time
from dataclasses import dataclass
from statistics import median

from stage.cache import tell
from stage.load import LoadResult, Shape, start_load
from stage.opening import open_folder, open_stage
from stage.report import describe_conditions
from stage.window import Stage

CALLS = 1_000_000
QUICK_CALLS = 50_000
# One call in so many is streamed: it costs about ten times a JSON call.
CALLS_PER_STREAM = 20
JSON_CONNECTIONS, STREAM_CONNECTIONS = 32, 8
SAMPLE_PAUSE_S = 0.25
RUN_S_MAX = 3600.0
FIRST_SHARE = 0.1
GROWTH_PERCENT_TARGET = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory after so many calls."""

    calls: int
    resident_bytes: int


def run_soak(stage: Stage, calls: int) -> tuple[list[Sample], list[LoadResult]]:
    """Make all calls, sampling meanwhile."""
    subject = stage.get_subject("keisan")
    assert subject.pinned is not None
    calls_before = stage.engine.count_calls()
    streams = calls // CALLS_PER_STREAM
    shapes = (
        Shape(JSON_CONNECTIONS, RUN_S_MAX, 0.0, calls=calls - streams),
        Shape(STREAM_CONNECTIONS, RUN_S_MAX, 0.0, is_stream=True, calls=streams),
    )
    loadings = [start_load(stage.programs, (subject.port,), subject.key_path, shape) for shape in shapes]
    samples = []
    while any(loading.process.poll() is None for loading in loadings):
        samples.append(Sample(stage.engine.count_calls() - calls_before, subject.pinned.read_resident_bytes()))
        time.sleep(SAMPLE_PAUSE_S)
    return samples, [loading.finish() for loading in loadings]


def format_line(samples: list[Sample], loads: list[LoadResult], elapsed_s: float) -> dict[str, object]:
    """Return the figures of memory and calls."""
    ended = sum(load.ended for load in loads)
    first = next(sample for sample in samples if sample.calls >= ended * FIRST_SHARE)
    later = [sample.resident_bytes for sample in samples if sample.calls >= first.calls]
    growth_percent = (later[-1] / first.resident_bytes - 1) * 100
    # Each upload of a batch takes some memory for a moment, so two samples may differ by that; medians do not.
    early = [sample.resident_bytes for sample in samples if 0.1 * ended <= sample.calls < 0.3 * ended]
    late = [sample.resident_bytes for sample in samples if sample.calls >= 0.8 * ended]
    medians_percent = (median(late) / median(early or late) - 1) * 100
    return {
        "n": ended,
        "failed": sum(load.failed for load in loads),
        "per_s": round(ended / elapsed_s),
        "resident_first_tenth_mib": round(first.resident_bytes / 2**20, 1),
        "resident_end_mib": round(later[-1] / 2**20, 1),
        "resident_spread_mib": [round(min(later) / 2**20, 1), round(max(later) / 2**20, 1)],
        "growth_percent": round(growth_percent, 2),
        "growth_of_medians_percent": round(medians_percent, 2),
        "ratio_to_target": round(medians_percent / GROWTH_PERCENT_TARGET, 2),
        "p50_us": loads[0].get_us("latency", "p50"),
        "p99_us": loads[0].get_us("latency", "p99"),
        "samples": [[one.calls, round(one.resident_bytes / 2**20, 1)] for one in thin_samples(samples)],
    }


def thin_samples(samples: list[Sample]) -> list[Sample]:
    """Return about twenty of the samples, the last among them: enough to see a slope."""
    step = max(1, len(samples) // 20)
    return samples[::-1][::step][::-1]


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"under 60 s: {QUICK_CALLS} calls")
    parser.add_argument("--calls", type=int)
    asked = parser.parse_args()
    calls = asked.calls or (QUICK_CALLS if asked.quick else CALLS)
    with open_folder() as folder, open_stage(folder, {"keisan"}) as (stage, _):
        records_before, started_s = stage.platform.count(), time.monotonic()
        samples, loads = run_soak(stage, calls)
        elapsed_s = time.monotonic() - started_s
        ended = sum(load.ended for load in loads)
        behind = records_before + ended - stage.platform.count()
        stage.platform.wait_for_records(records_before + ended)
        records, repeated = stage.platform.count() - records_before, stage.platform.count("repeated")
        conditions = describe_conditions(folder)
    tell(f"bench: {ended} calls, {records} records")
    line = {
        "bench": "relay_soak",
        **format_line(samples, loads, elapsed_s),
        "records_lost": ended - (records - repeated),
        "records_repeated": repeated,
        "records_behind_at_end": behind,
        "conditions": conditions,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
