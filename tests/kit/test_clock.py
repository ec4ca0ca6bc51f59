"""Instants as whole numbers and back, without a float in between."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keisan.kit.clock import (
    SystemClock,
    from_microseconds,
    from_milliseconds,
    read_boot_id,
    to_microseconds,
    to_milliseconds,
    wait_unless_stopped,
)

START = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = st.integers(min_value=-23, max_value=23).map(lambda hours: timezone(timedelta(hours=hours)))
INSTANTS = st.datetimes(min_value=datetime(1902, 1, 2), max_value=datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001  # Hypothesis adds the zone
MICROSECONDS = st.integers(min_value=-(2**51), max_value=253_402_300_799_999_999)


@given(INSTANTS)
def test_instant_comes_back_to_the_microsecond(instant: datetime) -> None:
    assert from_microseconds(to_microseconds(instant)) == instant
    assert from_microseconds(to_microseconds(instant)).utcoffset() == timedelta(0)


@given(MICROSECONDS)
@example(253_402_300_799_999_999)
@example(-1)
def test_microseconds_come_back_and_count_from_1970(microseconds: int) -> None:
    instant = from_microseconds(microseconds)
    assert to_microseconds(instant) == microseconds
    assert Fraction((instant - START) // timedelta(microseconds=1)) == microseconds


@given(MICROSECONDS)
def test_milliseconds_cut_down_and_never_up(microseconds: int) -> None:
    milliseconds = to_milliseconds(from_microseconds(microseconds))
    assert milliseconds == Fraction(microseconds, 1000).__floor__()
    assert to_milliseconds(from_milliseconds(milliseconds)) == milliseconds


async def test_system_clock_is_aware_and_goes_forward() -> None:
    clock = SystemClock()
    wall, start_s = clock.now(), clock.monotonic_s()
    await clock.sleep(0)
    assert wall.tzinfo is UTC
    assert clock.now() - wall < timedelta(seconds=60)
    assert clock.monotonic_s() >= start_s


def test_a_boot_has_one_id() -> None:
    assert read_boot_id() == read_boot_id()
    assert len(read_boot_id()) == 36


async def test_system_clock_sleeps_at_least_as_long_as_asked() -> None:
    clock = SystemClock()
    start_s = clock.monotonic_s()
    await clock.sleep(0.02)
    # The event loop's own resolution may wake it a little early.
    assert clock.monotonic_s() - start_s > 0.01


async def test_sleep_ends_when_all_is_to_end() -> None:
    clock, stop = SystemClock(), asyncio.Event()
    sleeping = asyncio.create_task(wait_unless_stopped(clock, 3600.0, stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5.0):
        await sleeping
    begun_s = clock.monotonic_s()
    await wait_unless_stopped(clock, 0.05, asyncio.Event())
    assert clock.monotonic_s() - begun_s >= 0.05


async def test_sleep_that_is_cut_off_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    sleeping = asyncio.create_task(wait_unless_stopped(SystemClock(), 3600.0, asyncio.Event()))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
