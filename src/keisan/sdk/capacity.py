"""Capacity of all kinds side by side."""

from keisan.domain.capacity import CapacityKey
from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.capacity import CapacityView


class AsyncCapacity:
    """Capacity within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, by: CapacityKey = CapacityKey.REGION) -> CapacityView:
        """Return capacity by a key; a kind that is not known is in no line."""
        return await self._transport.fetch(CapacityView, "/capacity", {"by": by})


class Capacity(Blocking[AsyncCapacity]):
    """Capacity within the key's scope."""

    get = wait_for(AsyncCapacity.get)
