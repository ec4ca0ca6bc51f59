"""Sites of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.site import SiteCreate, SiteView


class AsyncSites:
    """Sites within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[SiteView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[SiteView], "/sites")

    async def get(self, site_id: UUID) -> SiteView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(SiteView, f"/sites/{site_id}")

    async def create(self, body: SiteCreate) -> SiteView:
        """Create a site of a provider; raises AlreadyExists if the name is taken."""
        return await self._transport.write(SiteView, "POST", "/sites", body)


class Sites(Blocking[AsyncSites]):
    """Sites within the key's scope."""

    list = iterate(AsyncSites.list)
    get = wait_for(AsyncSites.get)
    create = wait_for(AsyncSites.create)
