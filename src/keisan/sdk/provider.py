"""Providers of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.provider import ProviderCreate, ProviderView


class AsyncProviders:
    """Providers within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[ProviderView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[ProviderView], "/providers")

    async def get(self, provider_id: UUID) -> ProviderView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ProviderView, f"/providers/{provider_id}")

    async def create(self, body: ProviderCreate) -> ProviderView:
        """Create a provider; raises AlreadyExists if the name is taken."""
        return await self._transport.write(ProviderView, "POST", "/providers", body)


class Providers(Blocking[AsyncProviders]):
    """Providers within the key's scope."""

    list = iterate(AsyncProviders.list)
    get = wait_for(AsyncProviders.get)
    create = wait_for(AsyncProviders.create)
