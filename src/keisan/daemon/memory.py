"""How processes keep their size over millions of calls: what allocators and the collector of cycles are told."""

import asyncio
import ctypes
import gc
import os
from concurrent.futures import ThreadPoolExecutor

# Source: mallopt(3), malloc.h of glibc.
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
_LARGE_BYTES = 64 * 1024
# One may wait for the relay to drain, and one for its demand of credit, while another hands records in.
_THREADS = 3
# Full collections for so many of the youngest generation's: the usual is 100, and leaves minutes of garbage standing.
_YOUNG_ALLOCATIONS, _YOUNG_PER_MIDDLE, _MIDDLE_PER_FULL = 700, 10, 2
# A batch of usage makes a hundred thousand objects, none of them in a circle, and all live until it is posted: looking at
# each of them five times took two fifths of what intake cost.
_BATCH_ALLOCATIONS, _BATCHES_PER_MIDDLE, _BATCHES_PER_FULL = 200_000, 20, 20


def prepare_allocators() -> None:
    """Say how memory is kept, before the compiled part is loaded and threads begin.

    mimalloc, the relay's, reads this once, and whoever runs the process may have set it: with huge pages, and a second of
    patience before memory is given back, a gateway's size swings by a third. The C library's own would keep a heap for each
    thread of Python's, which run one at a time, and after the first large piece of an upload take all others from its heap.
    """
    for name, value in {"MIMALLOC_ALLOW_THP": "0", "MIMALLOC_PURGE_DELAY": "50"}.items():
        os.environ.setdefault(name, value)
    library = ctypes.CDLL(None)
    # Only glibc has it.
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def limit_threads() -> None:
    """Let the running loop's blocking work share a few threads: each that ever ran keeps memory of its own."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "keisan-blocking"))


def settle_platform() -> None:
    """Take what stands when a platform is ready out of the collector's sight, and let it look at what comes batch by batch."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BATCH_ALLOCATIONS, _BATCHES_PER_MIDDLE, _BATCHES_PER_FULL)


def settle_objects() -> None:
    """Take what stands when a process is ready out of the collector's sight, and collect what comes after more often.

    An exchange with the platform leaves a circle of objects. Full collections wait until a quarter of what lived through the
    last one is new, which is tens of thousands of objects unless those that stay are not counted.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
    gc.set_threshold(_YOUNG_ALLOCATIONS, _YOUNG_PER_MIDDLE, _MIDDLE_PER_FULL)
