"""What allocators and the collector are told so that a gateway keeps its size."""

import asyncio
import ctypes
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

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


_HEAPS = f"""
import ctypes, sys, threading
from keisan.daemon.memory import {prepare_allocators.__name__}
if sys.argv[1] == "prepared":
    prepare_allocators()
library = ctypes.CDLL(None)
library.malloc.restype, library.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
library.free.argtypes, library.malloc_info.argtypes = [ctypes.c_void_p], [ctypes.c_int, ctypes.c_void_p]
library.fclose.argtypes = [ctypes.c_void_p]
meeting = threading.Barrier(4)
def keep():
    meeting.wait()
    library.malloc(1000)
    meeting.wait()
threads = [threading.Thread(target=keep) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
# glibc takes later pieces of as many bytes as this from a heap, once this one is given back.
library.free(library.malloc(4 << 20))
kept = library.malloc(1 << 20)
file = library.fopen(sys.argv[2].encode(), b"w")
library.malloc_info(0, file)
library.fclose(file)
"""


def read_heaps(told: str, path: Path) -> tuple[int, int]:
    """Return how many heaps the C library has, and how many pieces it took from the system one by one."""
    subprocess.run([sys.executable, "-c", _HEAPS, told, str(path)], check=True, timeout=60)
    root = ET.parse(path).getroot()
    (mapped,) = (total for total in root.findall("total") if total.get("type") == "mmap")
    return len(root.findall("heap")), int(mapped.get("count", "0"))


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="another C library than glibc")
def test_threads_share_a_heap_and_large_pieces_are_of_none(tmp_path: Path) -> None:
    heaps, mapped = read_heaps("prepared", tmp_path / "prepared.xml")
    other_heaps, other_mapped = read_heaps("plain", tmp_path / "plain.xml")
    assert heaps == 1 < other_heaps
    assert mapped > other_mapped


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


def test_collector_looks_at_no_batch_while_it_is_worked_on() -> None:
    """In a process of its own, whose collector nobody else tells."""
    script = (
        "import gc; from keisan.daemon.memory import settle_platform; settle_platform(); before = gc.get_stats();"
        "batch = [[number] for number in range(100_000)]; after = gc.get_stats();"
        "print(gc.get_freeze_count() > 1000, [b['collections'] - a['collections'] for a, b in zip(before, after)])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "True [0, 0, 0]"
