"""Payouts of a platform to its providers."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.payout import PayoutAnswer, PayoutCreate, PayoutView

WHOLE = PayoutCreate()


class AsyncPayouts:
    """Payouts within the key's scope: a provider's own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[PayoutView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[PayoutView], "/payouts")

    async def get(self, payout_id: UUID) -> PayoutView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(PayoutView, f"/payouts/{payout_id}")

    async def create(self, statement_id: UUID, body: PayoutCreate = WHOLE) -> PayoutAnswer:
        """Pay a provider's closed statement, once; the answer's outcome tells. Raises NotFound without such a statement."""
        return await self._transport.write(PayoutAnswer, "POST", f"/statements/{statement_id}/payout", body)


class Payouts(Blocking[AsyncPayouts]):
    """Payouts within the key's scope: a provider's own."""

    list = iterate(AsyncPayouts.list)
    get = wait_for(AsyncPayouts.get)
    create = wait_for(AsyncPayouts.create)
