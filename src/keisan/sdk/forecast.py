"""Forecasts of what months will come to."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.forecast import BudgetForecastView, ForecastQuery, ForecastView
from keisan.wire.page import Page

WHOLE = ForecastQuery()


class AsyncForecasts:
    """Forecasts within the key's scope; amounts in nano-units of their currency."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, organization_id: UUID, query: ForecastQuery = WHOLE) -> ForecastView:
        """Return what the running month of an organization, a project or a key will come to; raises NotFound."""
        return await self._transport.fetch(
            ForecastView, f"/organizations/{organization_id}/forecast", query.model_dump()
        )

    def list_budgets(self, organization_id: UUID) -> AsyncGenerator[BudgetForecastView, None]:
        """Iterate over an organization's budgets with whether each will be used up; raises NotFound."""
        return self._transport.walk(Page[BudgetForecastView], f"/organizations/{organization_id}/forecast/budgets")


class Forecasts(Blocking[AsyncForecasts]):
    """Forecasts within the key's scope; amounts in nano-units of their currency."""

    get = wait_for(AsyncForecasts.get)
    list_budgets = iterate(AsyncForecasts.list_budgets)
