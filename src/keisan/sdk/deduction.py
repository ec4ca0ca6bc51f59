"""Deductions of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.deduction import DeductionCreate, DeductionView
from keisan.wire.page import Page


class AsyncDeductions:
    """Deductions within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[DeductionView, None]:
        """Iterate over all versions, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[DeductionView], "/deductions")

    async def get(self, deduction_id: UUID) -> DeductionView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(DeductionView, f"/deductions/{deduction_id}")

    async def create(self, body: DeductionCreate) -> DeductionView:
        """Create the next version; raises InvalidInput for what cannot hold."""
        return await self._transport.write(DeductionView, "POST", "/deductions", body)

    async def withdraw(self, deduction_id: UUID) -> DeductionView:
        """Create a version that withdraws this one's subject from now on; raises StateConflict if it does so already."""
        return await self._transport.write(DeductionView, "POST", f"/deductions/{deduction_id}/withdraw")


class Deductions(Blocking[AsyncDeductions]):
    """Deductions within the key's scope."""

    list = iterate(AsyncDeductions.list)
    get = wait_for(AsyncDeductions.get)
    create = wait_for(AsyncDeductions.create)
    withdraw = wait_for(AsyncDeductions.withdraw)
