"""Price versions of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.price import PriceCreate, PriceView


class AsyncPrices:
    """Price versions within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[PriceView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[PriceView], "/prices")

    async def get(self, price_id: UUID) -> PriceView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(PriceView, f"/prices/{price_id}")

    async def create(self, body: PriceCreate) -> PriceView:
        """Create the next version of a model's prices."""
        return await self._transport.write(PriceView, "POST", "/prices", body)


class Prices(Blocking[AsyncPrices]):
    """Price versions within the key's scope."""

    list = iterate(AsyncPrices.list)
    get = wait_for(AsyncPrices.get)
    create = wait_for(AsyncPrices.create)
