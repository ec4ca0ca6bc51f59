"""Deliveries of alerts to webhooks."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.delivery import DeliveryView
from keisan.wire.page import Page


class AsyncDeliveries:
    """Deliveries to the webhooks within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, webhook_id: UUID) -> AsyncGenerator[DeliveryView, None]:
        """Iterate over all of a webhook, oldest first; raises NotFound outside the key's scope."""
        return self._transport.walk(Page[DeliveryView], f"/webhooks/{webhook_id}/deliveries")

    async def redeliver(self, webhook_id: UUID, delivery_id: UUID) -> DeliveryView:
        """Send a dead one again; raises NotFound, or StateConflict for one that is not dead."""
        path = f"/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"
        return await self._transport.write(DeliveryView, "POST", path)


class Deliveries(Blocking[AsyncDeliveries]):
    """Deliveries to the webhooks within the key's scope."""

    list = iterate(AsyncDeliveries.list)
    redeliver = wait_for(AsyncDeliveries.redeliver)
