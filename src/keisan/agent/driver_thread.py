"""Readings of one driver, in threads of its own: one at a time, awaited for a bounded time, and left alone when it hangs."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from keisan.agent.supervisor import catch_failure
from keisan.domain.errors import DevicesUnreadable
from keisan.kit.clock import Clock, SystemClock

Found = TypeVar("Found")
SYSTEM_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Reading(Generic[Found]):
    """What a reading came to, one of the two, and when it was begun and done, monotonic."""

    begun_s: float
    done_s: float
    found: Found | None
    failure: BaseException | None

    def take(self) -> Found:
        """Return what was found; raises DevicesUnreadable, whatever it was that the driver raised."""
        if isinstance(self.failure, DevicesUnreadable):
            raise self.failure
        if self.failure is not None or self.found is None:
            text = f"the driver failed: {type(self.failure).__name__}"
            raise DevicesUnreadable(text, repr(self.failure)) from self.failure
        return self.found


class DriverThread(Generic[Found]):
    """Belongs to the event loop. A thread that hangs ends with the process: no thread can be ended from outside."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._begun_s = 0.0
        self._future: asyncio.Future[Reading[Found]] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a reading is under way."""
        return self._future is not None and not self._future.done()

    @property
    def busy_s(self) -> float:
        """For how long it has been."""
        return self._clock.monotonic_s() - self._begun_s

    def begin(self, read: Callable[[], Found]) -> None:
        """Begin a reading; there must be none under way."""
        assert not self.is_busy
        loop = asyncio.get_running_loop()
        self._begun_s = self._clock.monotonic_s()
        self._future = loop.create_future()
        work = (read, self._begun_s, loop, self._future)
        # A daemon: a pool's threads are waited for at exit, and one that hangs would keep the process.
        threading.Thread(target=self._work, args=work, name="driver", daemon=True).start()

    async def wait(self, wait_s: float) -> None:
        """Return when the reading is done, after `wait_s` at the latest."""
        if self._future is not None:
            await asyncio.wait({self._future}, timeout=wait_s)

    def take(self) -> Reading[Found] | None:
        """Return the reading that is done, once; None while there is none."""
        if self._future is None or not self._future.done():
            return None
        reading, self._future = self._future.result(), None
        return reading

    async def read(self, read: Callable[[], Found], wait_s: float) -> Found:
        """Return what a reading finds; raises DevicesUnreadable if it fails in any way, or is not done in time."""
        if self.is_busy:
            raise DevicesUnreadable(f"the driver has hung for {self.busy_s:.0f} s")
        self.begin(read)
        await self.wait(wait_s)
        reading = self.take()
        if reading is None:
            raise DevicesUnreadable(f"the driver did not answer within {wait_s:g} s")
        return reading.take()

    def _work(
        self,
        read: Callable[[], Found],
        begun_s: float,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Reading[Found]],
    ) -> None:
        found, failure = catch_failure(read)
        reading = Reading(begun_s, self._clock.monotonic_s(), found, failure)
        # The loop is closed when the agent has left meanwhile: nobody wants to know any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(future.set_result, reading)
