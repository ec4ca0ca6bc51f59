"""Work in a thread that ends soon after nobody waits for it any more."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

INTERRUPT_S = 0.1
Result = TypeVar("Result")


async def run_interruptible(work: Callable[[], Result], interrupt: Callable[[], None]) -> Result:
    """Return what `work` returns or raises in a thread. Cancelled, it interrupts the work and ends with its thread.

    It interrupts until then: DuckDB forgets an interruption that comes before its next statement begins.
    """
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        await asyncio.wait([working])
    finally:
        while not working.done():
            interrupt()
            await asyncio.wait([working], timeout=INTERRUPT_S)
        # Looked at, also where nobody is left who hears of it.
        working.exception()
    return working.result()
