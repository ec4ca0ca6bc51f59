"""Brings what is committed of logs and registers to where it is read, again and again; whoever reads may bring it sooner."""

import asyncio
from dataclasses import dataclass

from keisan.domain.errors import StorageUnavailable
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning
from keisan.streams.base import Streams

CARRY_PERIOD_S = 1.0


@dataclass(slots=True)
class StreamCarrier:
    """Carries one platform's streams. `is_reached` tells whether the last turn found both ends."""

    streams: Streams
    clock: Clock
    is_reached: bool = True

    async def run(self, stop: asyncio.Event) -> None:
        """Carry until `stop` is set, and close the streams at the end."""
        try:
            while not stop.is_set():
                await self.carry()
                await self.clock.sleep(CARRY_PERIOD_S)
        finally:
            await self.streams.close()

    async def carry(self) -> int:
        """Carry once and return how many letters went; what could not go is still there the next time."""
        try:
            carried = await self.streams.carry()
        except StorageUnavailable as fault:
            if self.is_reached:
                write_warning("streams.unreachable", fault=str(fault))
            self.is_reached = False
            return 0
        if not self.is_reached:
            write_log("streams.reached_again", carried=carried)
        self.is_reached = True
        return carried
