"""Waiting for an event, but not longer than a time of the given clock."""

import asyncio

from keisan.kit.clock import Clock


async def wait_for_event(event: asyncio.Event, clock: Clock, wait_s: float) -> None:
    """Return when `event` is set or `wait_s` seconds have passed, whichever is first."""
    if wait_s <= 0 or event.is_set():
        # Others get their turn, so that a loop of immediate steps starves nobody.
        await asyncio.sleep(0)
        return
    async with asyncio.TaskGroup() as group:
        waits = (group.create_task(event.wait()), group.create_task(clock.sleep(wait_s)))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
