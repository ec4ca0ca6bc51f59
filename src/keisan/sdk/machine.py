"""Joined gateways and site agents of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.machine import JoinTokenCreate, JoinTokenCreated, MachineView
from keisan.wire.page import Page


class AsyncMachines:
    """Joined gateways and site agents within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[MachineView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[MachineView], "/machines")

    async def get(self, machine_id: UUID) -> MachineView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(MachineView, f"/machines/{machine_id}")

    async def create_token(self, body: JoinTokenCreate) -> JoinTokenCreated:
        """Create a one-time token with which one machine may join; it is in this answer and nowhere else."""
        return await self._transport.write(JoinTokenCreated, "POST", "/machines/tokens", body)

    async def revoke(self, machine_id: UUID) -> MachineView:
        """Revoke a machine for good."""
        return await self._transport.write(MachineView, "POST", f"/machines/{machine_id}/revoke")


class Machines(Blocking[AsyncMachines]):
    """Joined gateways and site agents within the key's scope."""

    list = iterate(AsyncMachines.list)
    get = wait_for(AsyncMachines.get)
    create_token = wait_for(AsyncMachines.create_token)
    revoke = wait_for(AsyncMachines.revoke)
