"""Credit that a platform leases to others, and that others lease to it."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.admission import PlatformTicketView
from keisan.wire.page import Page


class AsyncPlatformTickets:
    """Platform tickets within the key's scope; amounts in nano-units at the wholesale price, but for what the customer pays."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[PlatformTicketView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[PlatformTicketView], "/platform-tickets")

    async def get(self, platform_ticket_id: UUID) -> PlatformTicketView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(PlatformTicketView, f"/platform-tickets/{platform_ticket_id}")


class PlatformTickets(Blocking[AsyncPlatformTickets]):
    """Platform tickets within the key's scope."""

    list = iterate(AsyncPlatformTickets.list)
    get = wait_for(AsyncPlatformTickets.get)
