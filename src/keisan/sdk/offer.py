"""Offers of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.offer import OfferCreate, OfferView
from keisan.wire.page import Page


class AsyncOffers:
    """Offers within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[OfferView, None]:
        """Iterate over all versions, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[OfferView], "/offers")

    async def get(self, offer_id: UUID) -> OfferView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(OfferView, f"/offers/{offer_id}")

    async def create(self, body: OfferCreate) -> OfferView:
        """Create the next version; raises InvalidInput for what cannot hold."""
        return await self._transport.write(OfferView, "POST", "/offers", body)

    async def withdraw(self, offer_id: UUID) -> OfferView:
        """Create a version that withdraws this one's subject from now on; raises StateConflict if it does so already."""
        return await self._transport.write(OfferView, "POST", f"/offers/{offer_id}/withdraw")


class Offers(Blocking[AsyncOffers]):
    """Offers within the key's scope."""

    list = iterate(AsyncOffers.list)
    get = wait_for(AsyncOffers.get)
    create = wait_for(AsyncOffers.create)
    withdraw = wait_for(AsyncOffers.withdraw)
