"""Question: how much memory does an open stream take, and how soon does its first byte come, with thousands open at once?

Method: a fresh gateway; n streams opened one after the other and held open; resident memory then, less idle, by n.
Reference: nginx and other routers the same way, in turned order; DESIGN section 7: 32 KiB a stream, nginx about 9.
Wrong if: fewer streams are open than said, one does not end with [DONE], or memory is taken outside of the process.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from stage.cache import tell
from stage.load import LoadResult, Shape, run_load, start_load
from stage.opening import BEHIND_DOOR, EVERYONE, open_folder, open_stage
from stage.process import Pinned
from stage.report import describe_conditions, format_spread
from stage.rounds import Spread, compute_spread
from stage.subject import Subject
from stage.window import Stage

# Two descriptors a stream on HTTP/1.1, and 20,000 may be open here. To a site's door, with which the gateway speaks HTTP/2,
# 64 streams share a connection, and 10,000 fit.
STREAMS = 9_000
HTTP_2_STREAMS = 10_000
QUICK_STREAMS = 1_000
OPENED_PER_S = 1_500
# So slow that the first stream still runs when the last one begins, and after that fast enough to end soon.
HELD_PACE_US = 2_000_000
END_PACE_US = 30_000
HOLD_S = 2.0
OPEN_S_MAX = 45.0
TARGET_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Held:
    """What one gateway took to hold the streams open."""

    stream_bytes: float
    idle_bytes: int
    load: LoadResult


def hold_streams(stage: Stage, subject: Subject, pinned: Pinned, count: int) -> Held:
    """Open `count` streams, look at the memory, and let them end; raises RuntimeError if not all are open at once."""
    stage.engine.set_pace_us(0)
    for is_stream in (False, True):
        warming = Shape(16, 0.3, 0.0, is_stream=is_stream)
        run_load(stage.programs, (subject.port,), subject.key_path, warming)
    time.sleep(1)
    idle_bytes = pinned.read_resident_bytes()
    stage.engine.set_pace_us(HELD_PACE_US)
    shape = Shape(count, OPEN_S_MAX, 0.0, is_stream=True, rate_per_s=OPENED_PER_S, calls=count)
    loading = start_load(stage.programs, (subject.port,), subject.key_path, shape)
    try:
        wait_for_streams(stage, count)
        time.sleep(HOLD_S)
        open_count, held_bytes = stage.engine.count("open_streams"), pinned.read_resident_bytes()
    finally:
        stage.engine.set_pace_us(END_PACE_US)
        load = loading.finish()
    if open_count != count or load.failed:
        raise RuntimeError(
            f"{subject.name}: {open_count} of {count} streams were open, {load.failed} failed: {load.told}"
        )
    return Held((held_bytes - idle_bytes) / count, idle_bytes, load)


def wait_for_streams(stage: Stage, count: int) -> None:
    """Wait until as many streams are open; the caller finds out if they are not."""
    end_s = time.monotonic() + OPEN_S_MAX
    while stage.engine.count("open_streams") < count and time.monotonic() < end_s:
        time.sleep(0.1)


def measure_one(name: str, count: int) -> Held | str:
    """Measure a gateway that was just started; return why not if it cannot be."""
    with open_folder() as folder, open_stage(folder, {name}) as (stage, missing):
        if name in missing:
            return missing[name]
        subject = next(one for one in stage.subjects if one.name == name.replace("-", "_"))
        assert subject.pinned is not None
        try:
            held = hold_streams(stage, subject, subject.pinned, count)
        except RuntimeError as fault:
            if name in ("keisan", BEHIND_DOOR):
                raise
            return str(fault)[:500]
    first_us = held.load.get_us("first_byte", "p99") or 0
    tell(f"{name:>13} {held.stream_bytes / 1024:7.1f} KiB a stream, first byte p99 {first_us / 1000:.1f} ms")
    return held


def format_gateway(found: list[Held]) -> dict[str, object]:
    """Return one gateway's figures; each is [median, minimum, maximum] over the rounds."""

    def spread(read: Callable[[Held], float]) -> Spread | None:
        return compute_spread(read(held) for held in found)

    return {
        "stream_kib": format_spread(spread(lambda held: held.stream_bytes / 1024), 1),
        "idle_mib": format_spread(spread(lambda held: held.idle_bytes / 2**20), 1),
        "first_byte_p50_ms": format_spread(spread(lambda held: (held.load.get_us("first_byte", "p50") or 0) / 1000)),
        "first_byte_p99_ms": format_spread(spread(lambda held: (held.load.get_us("first_byte", "p99") or 0) / 1000)),
    }


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under 60 s: fewer streams, one round")
    parser.add_argument("--streams", type=int)
    parser.add_argument("--rounds", type=int)
    asked = parser.parse_args()
    streams = asked.streams or (QUICK_STREAMS if asked.quick else STREAMS)
    http_2_streams = asked.streams or (QUICK_STREAMS if asked.quick else HTTP_2_STREAMS)
    counts = {name: http_2_streams if name == BEHIND_DOOR else streams for name in (*sorted(EVERYONE), BEHIND_DOOR)}
    rounds = asked.rounds or (1 if asked.quick else 3)
    found: dict[str, list[Held]] = {}
    missing: dict[str, str] = {}
    for number in range(rounds):
        for name in list(counts) if number % 2 == 0 else reversed(counts):
            held = measure_one(name, counts[name])
            if isinstance(held, str):
                missing[name] = held
            else:
                found.setdefault(name, []).append(held)
    with open_folder() as folder:
        conditions = describe_conditions(folder)
    own, nginx = (compute_spread(held.stream_bytes for held in found.get(name, [])) for name in ("keisan", "nginx"))
    assert own is not None, "a fault of keisan's gateway ends the bench"
    line = {
        "bench": "relay_streams",
        "n": rounds,
        "streams": counts,
        "stream_kib": round(own.middle / 1024, 1),
        "ratio_to_target": round(own.middle / TARGET_BYTES, 2),
        "stream_memory_ratio_nginx": nginx and round(own.middle / nginx.middle, 2),
        "gateways": {name: format_gateway(held) for name, held in found.items()},
        "missing": missing,
        "conditions": conditions,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
