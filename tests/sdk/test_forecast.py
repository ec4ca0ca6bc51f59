"""Forecasts through the client."""

from keisan.sdk import AsyncKeisan, ForecastMethod, ForecastQuery
from tests.api.stage import Stage


async def test_month_and_budgets(stage: Stage, admin: AsyncKeisan) -> None:
    organization_id = stage.ids["organization"]
    whole = await admin.forecasts.get(organization_id)
    [line] = whole.lines
    assert (line.spent_nano, line.method, line.high_nano) == (30_500, ForecastMethod.NONE, None)
    own = await admin.forecasts.get(organization_id, ForecastQuery(key_id=stage.ids["key"]))
    assert (own.key_id, own.lines) == (stage.ids["key"], whole.lines)
    budgets = [budget async for budget in admin.forecasts.list_budgets(organization_id)]
    known = [budget async for budget in admin.budgets.list() if budget.organization_id == organization_id]
    assert [budget.budget_id for budget in budgets] == [budget.id for budget in known]
