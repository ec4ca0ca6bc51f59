"""Disputes of a platform's statements."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.dispute import DisputeCreate, DisputeResolve, DisputeView
from keisan.wire.page import Page


class AsyncDisputes:
    """Disputes within the key's scope: of an organization's or a provider's own statements."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[DisputeView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[DisputeView], "/disputes")

    async def get(self, dispute_id: UUID) -> DisputeView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(DisputeView, f"/disputes/{dispute_id}")

    async def open(self, statement_id: UUID, body: DisputeCreate) -> DisputeView:
        """Dispute an own closed statement.

        Raises NotFound for another's, StateConflict after the window, InvalidInput for records that are not on it.
        """
        return await self._transport.write(DisputeView, "POST", f"/statements/{statement_id}/disputes", body)

    async def resolve(self, dispute_id: UUID, body: DisputeResolve) -> DisputeView:
        """Reject or uphold a dispute; raises StateConflict if it is resolved, LimitExceeded for more than the statement says."""
        return await self._transport.write(DisputeView, "POST", f"/disputes/{dispute_id}/resolve", body)


class Disputes(Blocking[AsyncDisputes]):
    """Disputes within the key's scope: of an organization's or a provider's own statements."""

    list = iterate(AsyncDisputes.list)
    get = wait_for(AsyncDisputes.get)
    open = wait_for(AsyncDisputes.open)
    resolve = wait_for(AsyncDisputes.resolve)
