"""Question: how fast is history written, at what CPU, how many bytes is a device-day, and how long do questions take?

Method: plausible frames go through the real journal and keeper on a clock of the bench's own; roll-ups are made up, and asked.
Reference: Parquet with pyarrow's own defaults for bytes and CPU; the answer's one column summed by DuckDB for time.
Wrong if: a device-day at 10 s takes over 150 KB, a nation's month over 20 s at full scale, or history over half a core at 10^5/s.
"""

import argparse
import asyncio
import io
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from keisan.domain.history import DAY_MS, HOUR_MS, MINUTE_MS, Tier
from keisan.domain.history_question import HistoryGroup, HistoryQuestion
from keisan.domain.sample import SampleName
from keisan.storage.history_file import SAMPLE_SCHEMA, build_batch
from keisan.telemetry.history_answer import HistoryAnswer
from stage.history_made import POWER, SITE, expect_inventory, make_frames, write_days
from stage.history_place import START_MS, Place

REGIONS = 31
NATION = 1_000_000
SCALE = 100
REGION_SITES = 32
REGION_DEVICES = NATION // REGIONS // SCALE
RATE_PER_S = 100_000


def measure_writing(root: Path, device_count: int, hours: int) -> tuple[Place, dict[str, object]]:
    """Write hours of one site through journal and keeper, and tell what a sample costs."""
    place = Place(root)
    expect_inventory(place, device_count)
    place.keep(START_MS)
    spent_s = {"journal": 0.0, "keeper": 0.0}
    samples, journal_bytes, wall_s = 0, 0, 0.0
    hour = 0
    for hour, frames in enumerate(make_frames(device_count, hours), start=1):
        samples += sum(len(each.numbers) for each in frames)
        begun_s = time.perf_counter()
        with charge(spent_s, "journal"):
            # As the intake does it: what came within a quarter of a second at once, synced each second.
            for start in range(0, len(frames), 25):
                journal_bytes += place.journal.write(frames[start : start + 25])
                place.journal.sync()
        with charge(spent_s, "keeper"):
            place.keep(START_MS + hour * HOUR_MS + 3 * MINUTE_MS)
        wall_s += time.perf_counter() - begun_s
    with charge(spent_s, "keeper"):
        place.keep(START_MS + hour * HOUR_MS + 40 * MINUTE_MS)
    cpu_ns = {name: each / samples * 1e9 for name, each in spent_s.items()}
    cpu_s = sum(spent_s.values())
    return place, {
        "devices": device_count,
        "samples": samples,
        "history_device_samples_per_s": round(samples / wall_s),
        "history_device_samples_per_s_core": round(samples / cpu_s),
        "cpu_ns_per_sample": {name: round(each) for name, each in cpu_ns.items()},
        "cpu_share_of_a_core_at_100k_per_s": round(cpu_s / samples * RATE_PER_S, 3),
        "journal_bytes_per_sample": round(journal_bytes / samples, 1),
    }


class charge:  # noqa: N801  # used as a word of its own
    """Adds the CPU time of its block, of all threads, to an account."""

    def __init__(self, accounts: dict[str, float], name: str) -> None:
        self._accounts, self._name = accounts, name

    def __enter__(self) -> None:
        self._begun_s = time.process_time()

    def __exit__(self, *exception: object) -> None:
        self._accounts[self._name] += time.process_time() - self._begun_s


def measure_sizes(place: Place, device_count: int, hours: int) -> dict[str, object]:
    """Return bytes of a device-day in each tier, and of samples with pyarrow's own defaults."""
    days = device_count * hours / 24
    sizes = {str(tier): round(sum(each.size_bytes for each in place.list_files(tier)) / days) for tier in Tier}
    (first, *_) = place.list_files(Tier.SAMPLE)
    table = pa.Table.from_batches([build_batch(each, SAMPLE_SCHEMA) for each in place.store.read_blocks(first)])
    sink, begun_s = io.BytesIO(), time.process_time()
    pq.write_table(table.unify_dictionaries(), sink, compression="zstd")
    plain_s = time.process_time() - begun_s
    share = first.row_count / sum(each.row_count for each in place.list_files(Tier.SAMPLE))
    plain = sink.tell() / (days * share)
    return {
        "device_day_bytes": sizes,
        "sample_fields": len(SampleName),
        "reference_device_day_bytes": round(plain),
        "reference_write_ns_per_sample": round(plain_s / len(table) * 1e9),
        "ratio_to_reference": round(sizes["sample"] / plain, 2),
    }


def measure_question(place: Place, question: HistoryQuestion, rounds: int) -> dict[str, object]:
    """Ask, and sum one column of the same files by DuckDB alone."""
    answers: list[HistoryAnswer] = []
    found = time_rounds(lambda: answers.append(asyncio.run(place.answerer.ask(question))), rounds)
    files = [each for each in place.list_files(answers[0].plan.tier) if each.start_ms < question.until_ms]
    column = str(POWER) if answers[0].plan.tier is Tier.SAMPLE else f"{POWER}_sum"

    def scan() -> None:
        with duckdb.connect(config={"threads": 2}) as engine:
            names = [f"{place.store.place.root}/{each.name}" for each in files]
            # The column's name is an enum's.
            engine.sql(f"SELECT sum({column}) FROM read_parquet(?)", params=[names]).fetchall()

    reference_s = time_rounds(scan, rounds)
    return {
        "tier": str(answers[0].plan.tier),
        "step_s": answers[0].plan.step_ms // 1000,
        "files": len(files),
        "rows_of_files": sum(each.row_count for each in files),
        "rows": len(answers[0].rows),
        "p50_s": round(statistics.median(found), 3),
        "p99_s": round(found[-1], 3),
        "spread_s": [round(found[0], 3), round(found[-1], 3)],
        "ratio_to_reference": round(statistics.median(found) / statistics.median(reference_s), 2),
    }


def time_rounds(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of each round, the least first."""
    found = []
    for _ in range(rounds):
        begun_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun_s)
    return sorted(found)


def measure_questions(folder: Path, day: Place, hours: int, rounds: int) -> dict[str, object]:
    """Ask for a device's day, a region's week of minutes, and a nation's month of hours."""
    is_quick = hours < 24
    question = HistoryQuestion((POWER, SampleName.UTILIZATION_PERMILLE), HistoryGroup.DEVICE, START_MS, START_MS)
    one_day = replace(question, until_ms=START_MS + hours * HOUR_MS, step_ms=0, device=f"{SITE}-d5")
    region = replace(question, group=HistoryGroup.REGION, until_ms=START_MS + 7 * DAY_MS)
    week = write_days(folder / "week", Tier.SITE_HOUR, (1, REGION_SITES, 1, 7))
    # Minutes are most of what has to be made up.
    minute_part = 8 if is_quick else 1
    minutes = write_days(folder / "minutes", Tier.MINUTE, (1, 1, REGION_DEVICES // minute_part, 7))
    minutely = replace(region, step_ms=10 * MINUTE_MS)
    found: dict[str, object] = {
        "one_device_day": measure_question(day, one_day, rounds),
        "region_week": measure_question(week, region, rounds) | {"scale": "1"},
        "region_week_by_10_minutes": extrapolate(measure_question(minutes, minutely, rounds), SCALE * minute_part),
    }
    month = replace(question, group=HistoryGroup.PLATFORM, until_ms=START_MS + 30 * DAY_MS, step_ms=HOUR_MS)
    # Rows of whole sites, of which a million devices have a thousand: this is full scale.
    nation = write_days(folder / "month", Tier.SITE_HOUR, (REGIONS, REGION_SITES, 1, 30))
    found["nation_month"] = measure_question(nation, month, rounds) | {"scale": "1"}
    # Counters are summed device by device.
    energy = replace(month, fields=(SampleName.ENERGY_KILOJOULES,))
    for part in (16,) if is_quick else (16, 4):
        devices = write_days(folder / f"month-{part}", Tier.HOUR, (REGIONS, 1, REGION_DEVICES // part, 30))
        measured = measure_question(devices, energy, rounds)
        found[f"nation_month_by_device_1_{SCALE * part}"] = extrapolate(measured, SCALE * part)
    return found


def extrapolate(measured: dict[str, object], factor: int) -> dict[str, object]:
    """Say what a question would take at full scale if its time grew with the rows: an upper bound, for part of it is per file."""
    return measured | {"scale": f"1/{factor}", "full_scale_s": round(float(str(measured["p50_s"])) * factor, 1)}


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 3 if options.quick else 5
    hours = 3 if options.quick else 24
    with tempfile.TemporaryDirectory(prefix="keisan-history-") as name:
        folder = Path(name)
        day, writing = measure_writing(folder / "day", REGION_DEVICES, hours)
        growth = [
            measure_writing(folder / f"site-{count}", count, 1)[1]
            for count in ((1024,) if options.quick else (1024, 16_384))
        ]
        report = {
            "bench": "fleet_history",
            "n": rounds,
            "processors": os.cpu_count(),
            "writing": writing,
            "writing_by_frame_size": growth,
            "sizes": measure_sizes(day, REGION_DEVICES, hours),
            "questions": measure_questions(folder, day, hours, rounds),
            "memory_bytes_max": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
