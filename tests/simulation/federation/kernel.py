"""The kernel of the simulation: one queue of events, one seed, virtual time in milliseconds. No event, no time: nothing ticks."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from heapq import heappop, heappush
from uuid import UUID
from zlib import crc32

import uuid_utils.compat

from keisan.kit import clock

# 2026-12-01 00:00 UTC: where virtual time begins.
EPOCH_MS = 1_796_083_200_000

Action = Callable[[], None]


class TooManyEvents(Exception):
    """A schedule did not come to rest within its bound of events: something goes in a circle."""


class Event:
    """Something that will happen; `cancel` keeps it from happening."""

    __slots__ = ("action",)

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action

    def cancel(self) -> None:
        self.action = None


class Kernel:
    """Runs events in order of time, then of when they were asked for. The same seed gives the same trace, byte by byte."""

    def __init__(self, seed: int, events_max: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now_ms = 0
        self.events = 0
        self.trace = 0
        self._events_max = events_max
        self._queue: list[tuple[int, int, Event]] = []
        self._asked = 0
        self._ids = random.Random(seed + 1)
        self._last_id_ms = 0

    def call_in(self, delay_ms: int, action: Action) -> Event:
        """Have something happen after a delay."""
        self._asked += 1
        event = Event(action)
        heappush(self._queue, (self.now_ms + max(0, delay_ms), self._asked, event))
        return event

    def note(self, label: bytes) -> None:
        """Take something into the trace: what happened, and when."""
        self.trace = crc32(label, self.trace ^ self.now_ms)

    def run_until(self, end_ms: int) -> None:
        """Let all happen up to an instant; raises TooManyEvents past the bound."""
        queue = self._queue
        while queue and queue[0][0] <= end_ms:
            at_ms, _, event = heappop(queue)
            action = event.action
            if action is None:
                continue
            self.now_ms = at_ms
            self.events += 1
            if self.events > self._events_max:
                raise TooManyEvents(f"{self.events} events by {self.now_ms} ms")
            action()
        self.now_ms = max(self.now_ms, end_ms)

    def create_id(self) -> UUID:
        """Return a UUIDv7 that the seed decides, later than all before it."""
        self._last_id_ms += 1
        stamp = EPOCH_MS + max(self.now_ms, 0)
        low = self._ids.getrandbits(62)
        return UUID(int=(stamp << 80) | (7 << 76) | ((self._last_id_ms & 0xFFF) << 64) | (2 << 62) | low)


class NodeClock:
    """The clock of one platform: virtual time, and how far this host is off. Monotonic time has no offset and never steps."""

    __slots__ = ("_kernel", "_told", "skew_ms")

    def __init__(self, kernel: Kernel, skew_ms: int = 0) -> None:
        self._kernel = kernel
        self.skew_ms = skew_ms
        self._told = (0, clock.EPOCH)

    @property
    def now_ms(self) -> int:
        return EPOCH_MS + self._kernel.now_ms + self.skew_ms

    def now(self) -> datetime:
        now_ms = EPOCH_MS + self._kernel.now_ms + self.skew_ms
        if self._told[0] != now_ms:
            self._told = now_ms, clock.from_milliseconds(now_ms)
        return self._told[1]

    def monotonic_s(self) -> float:
        # Half a millisecond on, so that a float of it is never the millisecond before.
        return (self._kernel.now_ms + 0.5) / 1000

    async def sleep(self, duration_s: float) -> None:
        raise AssertionError(f"nothing in the simulation waits by itself, asked for {duration_s} s")


@contextmanager
def own_ids(kernel: Kernel) -> Iterator[None]:
    """Let ids be made by the seed, wherever they are made."""
    made = uuid_utils.compat.uuid7
    uuid_utils.compat.uuid7 = kernel.create_id  # type: ignore[assignment]  # nobody asks for a moment of their own
    try:
        yield
    finally:
        uuid_utils.compat.uuid7 = made
