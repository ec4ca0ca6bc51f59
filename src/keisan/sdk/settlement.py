"""What the platform settles with other platforms."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.cross_receipt import CrossReceiptView
from keisan.wire.page import Page
from keisan.wire.settlement_view import (
    PlatformDisputeView,
    PositionQuery,
    PositionsView,
    SettlementDetailView,
    SettlementView,
)


class AsyncSettlements:
    """Settlements with other platforms; only a platform's own keys see any."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[SettlementView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[SettlementView], "/settlements")

    async def get(self, settlement_id: UUID) -> SettlementDetailView:
        """Return one with its sums and the texts that were signed; raises NotFound outside the key's scope."""
        return await self._transport.fetch(SettlementDetailView, f"/settlements/{settlement_id}")

    async def list_positions(self, query: PositionQuery) -> PositionsView:
        """Return who owes whom for a period; amounts in nano-units."""
        return await self._transport.fetch(PositionsView, "/settlements/positions", query.model_dump())

    def list_disputes(self) -> AsyncGenerator[PlatformDisputeView, None]:
        """Iterate over records on which two platforms do not agree, oldest first."""
        return self._transport.walk(Page[PlatformDisputeView], "/settlements/disputes")

    async def get_receipt(self, record_id: UUID) -> CrossReceiptView:
        """Return the proof of one record, for `verify_cross_receipt`; raises NotFound without such a record in a batch."""
        return await self._transport.fetch(CrossReceiptView, f"/settlements/records/{record_id}/receipt")

    async def end(self, settlement_id: UUID) -> SettlementView:
        """End one of the platform's own whose period is over.

        Raises InvalidInput for another author's, StateConflict while its period runs or after both sides have signed.
        """
        return await self._transport.write(SettlementView, "POST", f"/settlements/{settlement_id}/end")

    async def compare(self, settlement_id: UUID) -> SettlementView:
        """Ask the other side where it differs; what one side lacks is told again. Raises StateConflict after both have signed."""
        return await self._transport.write(SettlementView, "POST", f"/settlements/{settlement_id}/compare")


class Settlements(Blocking[AsyncSettlements]):
    """Settlements with other platforms; only a platform's own keys see any."""

    list = iterate(AsyncSettlements.list)
    get = wait_for(AsyncSettlements.get)
    list_positions = wait_for(AsyncSettlements.list_positions)
    list_disputes = iterate(AsyncSettlements.list_disputes)
    get_receipt = wait_for(AsyncSettlements.get_receipt)
    end = wait_for(AsyncSettlements.end)
    compare = wait_for(AsyncSettlements.compare)
