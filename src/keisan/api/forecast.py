"""Forecasts over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import forecast as commands
from keisan.domain.ids import OrganizationId
from keisan.wire.forecast import BudgetForecastView, ForecastQuery, ForecastView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/organizations/{organization_id}/forecast", tags=["forecasts"])


@router.get("")
async def get_forecast(
    caller: CallerOf, organization_id: UUID, query: Annotated[ForecastQuery, Query()]
) -> ForecastView:
    async with caller.read() as view:
        return await commands.draw_forecast(caller.control, view, caller.scope, OrganizationId(organization_id), query)


@router.get("/budgets")
async def list_budget_forecasts(
    caller: CallerOf, organization_id: UUID, query: Annotated[ListQuery, Query()]
) -> Page[BudgetForecastView]:
    async with caller.read() as view:
        found = await commands.draw_budget_forecasts(
            caller.control, view, caller.scope, OrganizationId(organization_id), read_page(query)
        )
    return build_page(found, lambda line: line)
