"""Waiting for an event, or for a time."""

import asyncio

import pytest

from keisan.agent.waiting import wait_for_event
from tests.agent.site_fakes import SetClock


async def test_event_ends_the_wait() -> None:
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(wait_for_event(event, SetClock(), 10**9))
        await asyncio.sleep(0)
        event.set()


async def test_time_ends_the_wait() -> None:
    clock = SetClock()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wait_for_event(asyncio.Event(), clock, 5))
        for _ in range(10):
            await asyncio.sleep(0)
        await clock.advance(4.9)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        await clock.advance(0.2)


@pytest.mark.parametrize("wait_s", [0.0, -1.0])
async def test_no_wait_lets_others_run(wait_s: float) -> None:
    seen: list[str] = []

    async def note(name: str) -> None:
        seen.append(name)
        await wait_for_event(asyncio.Event(), SetClock(), wait_s)
        seen.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(note("a"))
        group.create_task(note("b"))
    assert seen[:2] == ["a", "b"]


async def test_cancelled_wait_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await wait_for_event(asyncio.Event(), SetClock(), 10**9)
    assert asyncio.all_tasks() == before
