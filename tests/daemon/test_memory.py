"""What allocators and the collector are told so that a gateway keeps its size."""

import asyncio
import json
import os
import subprocess
import sys
import threading

from keisan.daemon.memory import limit_threads, prepare_allocators, settle_objects

_PROBE = f"""
import gc, json, os
from keisan.daemon.memory import {prepare_allocators.__name__}, {settle_objects.__name__}
prepare_allocators()
circles = [[] for _ in range(1000)]
for circle in circles:
    circle.append(circle)
del circle, circles
settle_objects()
full = gc.get_threshold()[1] * gc.get_threshold()[2]
told = {{name: os.environ[name] for name in os.environ if name.startswith("MIMALLOC_")}}
print(json.dumps({{"frozen": gc.get_freeze_count(), "seen": len(gc.get_objects()), "full": full, "told": told}}))
"""


def test_what_stands_is_out_of_sight_and_what_was_told_before_stays_told() -> None:
    own = {**os.environ, "MIMALLOC_PURGE_DELAY": "7"}
    own.pop("MIMALLOC_ALLOW_THP", None)
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], env=own, check=True, capture_output=True, text=True, timeout=60
    )
    seen = json.loads(done.stdout)
    assert seen["told"] == {"MIMALLOC_PURGE_DELAY": "7", "MIMALLOC_ALLOW_THP": "0"}
    assert seen["frozen"] > 1_000 > seen["seen"], "garbage was collected, and the rest is not looked at again"
    assert seen["full"] < 100, "full collections come more often than by default"


def test_blocking_work_shares_a_few_threads() -> None:
    # With fewer threads nobody gets past it.
    meeting = threading.Barrier(3, timeout=30)

    async def work() -> set[str]:
        limit_threads()
        names = await asyncio.gather(*(asyncio.to_thread(name_thread, meeting) for _ in range(12)))
        return set(names)

    assert len(asyncio.run(work())) == 3


def name_thread(meeting: threading.Barrier) -> str:
    """Return the thread's name once as many run as may."""
    meeting.wait()
    return threading.current_thread().name
