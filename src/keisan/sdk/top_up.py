"""Top-ups and credit notes of a platform; `organizations.top_up` makes them."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.top_up import TopUpView


class AsyncTopUps:
    """Top-ups and credit notes within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[TopUpView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[TopUpView], "/top-ups")

    async def get(self, top_up_id: UUID) -> TopUpView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(TopUpView, f"/top-ups/{top_up_id}")

    async def approve(self, top_up_id: UUID) -> TopUpView:
        """Post what another key proposed; raises SelfApproval for one's own, AlreadyDecided, NotFound."""
        return await self._transport.write(TopUpView, "POST", f"/top-ups/{top_up_id}/approve")

    async def reject(self, top_up_id: UUID) -> TopUpView:
        """End what was proposed; raises AlreadyDecided or NotFound."""
        return await self._transport.write(TopUpView, "POST", f"/top-ups/{top_up_id}/reject")


class TopUps(Blocking[AsyncTopUps]):
    """Top-ups and credit notes within the key's scope."""

    list = iterate(AsyncTopUps.list)
    get = wait_for(AsyncTopUps.get)
    approve = wait_for(AsyncTopUps.approve)
    reject = wait_for(AsyncTopUps.reject)
