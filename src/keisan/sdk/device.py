"""Devices of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.domain.device import DeviceUse
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.base import explain_refusal
from keisan.wire.device import DeviceUpdate, DeviceView
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

    async def change_use(self, device: DeviceView, use: DeviceUse, reason: str = "") -> DeviceView:
        """Close a device to new work, have what runs there move elsewhere, open it again, or retire it.

        Raises VersionMismatch if the device has changed since it was seen, InvalidInput for closing one without a reason, and
        StateConflict for retiring one that is neither failed nor closed and clear, or giving work to one that is retired.
        """
        with explain_refusal():
            body = DeviceUpdate(use=use, reason=reason)
        return await self._transport.write(DeviceView, "PATCH", f"/devices/{device.id}", body, version=device.version)


class Devices(Blocking[AsyncDevices]):
    """Devices within the key's scope."""

    list = iterate(AsyncDevices.list)
    get = wait_for(AsyncDevices.get)
    change_use = wait_for(AsyncDevices.change_use)
