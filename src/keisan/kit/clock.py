"""Time, the one way to it. Everything that waits or stamps takes a Clock, so a simulation can own time."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait for a duration in seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds of the host's monotonic clock: all processes of one boot have the same."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Wait for a duration in seconds."""
        await asyncio.sleep(duration_s)


async def wait_unless_stopped(clock: Clock, duration_s: float, stop: asyncio.Event) -> None:
    """Wait for a duration in seconds, or until `stop` is set: a process that ends waits for no loop of its own."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(clock.sleep(duration_s)), group.create_task(stop.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()


def read_boot_id() -> str:
    """Return the kernel's id of this boot: monotonic times of two boots cannot be compared."""
    return BOOT_ID.read_text().strip()


def to_milliseconds(instant: datetime) -> int:
    """Return an aware instant as whole milliseconds since 1970-01-01 UTC."""
    return to_microseconds(instant) // 1000


def to_microseconds(instant: datetime) -> int:
    """Return an aware instant as whole microseconds since 1970-01-01 UTC, without passing through a float."""
    delta = instant - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the aware UTC instant of whole milliseconds since 1970-01-01 UTC."""
    return from_microseconds(milliseconds * 1000)


def from_microseconds(microseconds: int) -> datetime:
    """Return the aware UTC instant of whole microseconds since 1970-01-01 UTC."""
    return EPOCH + timedelta(0, 0, microseconds)
