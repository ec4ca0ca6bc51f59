"""Events: the hash-chained audit log of a platform."""

from collections.abc import AsyncGenerator

from keisan.domain.limits import PAGE_ITEMS_MAX
from keisan.sdk.blocking import Blocking, iterate
from keisan.sdk.transport import Transport
from keisan.wire.event import EventList, EventView


class AsyncEvents:
    """The audit log; for keys that may read it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, after: int = 0) -> AsyncGenerator[EventView, None]:
        """Iterate over the events whose sequence is above `after`, up to the newest."""
        while True:
            found = await self._transport.fetch(EventList, "/events", {"after": after, "limit": PAGE_ITEMS_MAX})
            for event in found.items:
                yield event
            if not found.items:
                return
            after = found.items[-1].sequence


class Events(Blocking[AsyncEvents]):
    """The audit log; for keys that may read it."""

    list = iterate(AsyncEvents.list)
