"""Budgets of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.base import explain_refusal
from keisan.wire.budget import BudgetCreate, BudgetUpdate, BudgetView
from keisan.wire.page import Page


class AsyncBudgets:
    """Budgets within the key's scope; amounts in nano-units of their currency."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[BudgetView, None]:
        """Iterate over all, oldest first, with what is spent and held; pages are fetched as they are needed."""
        return self._transport.walk(Page[BudgetView], "/budgets")

    async def get(self, budget_id: UUID) -> BudgetView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(BudgetView, f"/budgets/{budget_id}")

    async def create(self, body: BudgetCreate) -> BudgetView:
        """Create a budget; raises AlreadyExists if its holder has one of that currency and period."""
        return await self._transport.write(BudgetView, "POST", "/budgets", body)

    async def update(self, budget: BudgetView, amount_nano: int) -> BudgetView:
        """Change the amount of what was seen.

        Raises VersionMismatch if it has changed since, InvalidInput for an amount out of range.
        """
        with explain_refusal():
            body = BudgetUpdate(amount_nano=amount_nano)
        return await self._transport.write(BudgetView, "PATCH", f"/budgets/{budget.id}", body, version=budget.version)

    async def delete(self, budget: BudgetView) -> BudgetView:
        """Delete what was seen, and return it as it was; raises VersionMismatch if it has changed since."""
        return await self._transport.write(BudgetView, "DELETE", f"/budgets/{budget.id}", version=budget.version)


class Budgets(Blocking[AsyncBudgets]):
    """Budgets within the key's scope; amounts in nano-units of their currency."""

    list = iterate(AsyncBudgets.list)
    get = wait_for(AsyncBudgets.get)
    create = wait_for(AsyncBudgets.create)
    update = wait_for(AsyncBudgets.update)
    delete = wait_for(AsyncBudgets.delete)
