"""Work whose caller has gone is interrupted until its thread has ended, and no other work is."""

import asyncio
import threading

import pytest

from keisan.storage.interruptible import run_interruptible


class Forgetful:
    """Ends only when it was interrupted again after it forgot the first time."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()
        self.has_ended = False

    def work(self) -> None:
        for _ in range(2):
            assert self.interrupted.wait(30)
            self.interrupted.clear()
        self.has_ended = True


async def test_who_gives_up_interrupts_until_the_thread_has_ended() -> None:
    forgetful = Forgetful()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run_interruptible(forgetful.work, forgetful.interrupted.set)
    assert forgetful.has_ended


async def test_what_ends_by_itself_is_not_interrupted() -> None:
    interruptions: list[str] = []
    assert await run_interruptible(lambda: 7, lambda: interruptions.append("again")) == 7
    with pytest.raises(ZeroDivisionError):
        await run_interruptible(lambda: 1 // 0, lambda: interruptions.append("again"))
    assert interruptions == []
