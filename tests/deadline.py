"""Waiting in tests: poll a condition until a deadline. The only place in tests/ where time is let pass."""

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.01


def wait_until(is_met: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
    """Return as soon as `is_met()`; raises AssertionError naming `what` after a look that began `deadline_s` from now or later.

    So a process that stood still for longer than that looks once more before it gives up.
    """
    end_s = time.monotonic() + deadline_s
    is_last = False
    while not is_met():
        assert not is_last, f"not within {deadline_s} s: {what}"
        time.sleep(POLL_S)
        is_last = time.monotonic() >= end_s


async def wait_until_async(is_met: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
    """Same, and lets the event loop run meanwhile."""
    end_s = time.monotonic() + deadline_s
    is_last = False
    while not is_met():
        assert not is_last, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(POLL_S)
        is_last = time.monotonic() >= end_s


async def let_time_pass_async(duration_s: float) -> None:
    """Same as `let_time_pass`, and lets the event loop run meanwhile: for what is slow on purpose."""
    await asyncio.sleep(duration_s)


def let_time_pass(duration_s: float) -> None:
    """Wait without waiting for anything: for moments that must be random, never to let something finish."""
    time.sleep(duration_s)
