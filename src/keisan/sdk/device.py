"""Devices of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.device import DeviceView
from keisan.wire.page import Page


class AsyncDevices:
    """Devices within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[DeviceView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[DeviceView], "/devices")

    async def get(self, device_id: UUID) -> DeviceView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(DeviceView, f"/devices/{device_id}")


class Devices(Blocking[AsyncDevices]):
    """Devices within the key's scope."""

    list = iterate(AsyncDevices.list)
    get = wait_for(AsyncDevices.get)
