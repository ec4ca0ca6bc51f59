"""Forecasts: what a holder's running month will come to, and which budgets it will use up. Nothing is written."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from keisan.control.context import Control
from keisan.domain.access import OrganizationScope, Scope
from keisan.domain.budget import Budget, PeriodKind
from keisan.domain.errors import InvalidInput, NotFound
from keisan.domain.forecast import ForecastCalendar, build_calendar
from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, OrganizationId, ProjectId
from keisan.domain.page import PageOf, PageRequest
from keisan.ledger.rule_budget import BudgetBook
from keisan.ledger.rule_forecast import COVERAGE_PPM, Forecast, compute_forecast, judge_budget, sum_month
from keisan.storage.base import Transaction
from keisan.wire.forecast import BudgetForecastView, ForecastQuery, ForecastRange, ForecastView

Spent = Mapping[date, int]
NOTHING: Spent = {}


async def draw_forecast(
    control: Control, view: Transaction, scope: Scope, organization_id: OrganizationId, query: ForecastQuery
) -> ForecastView:
    """Return what the running month of an organization, or one of its projects or keys, will come to, by currency.

    Raises NotFound for what lies outside the scope or the organization, InvalidInput for a project and a key at once.
    """
    owner = await view.organizations.get(scope, organization_id)
    holder = await _find_holder(view, scope, organization_id, query)
    calendar = build_calendar(control.clock.now(), owner.time_zone)
    spent = await _read_days(view, scope, organization_id, [holder], calendar)
    lines = []
    for _, currency in sorted(spent):
        by_day = spent[holder.id, currency]
        lines.append(_build_range(currency, compute_forecast(calendar, by_day, sum_month(calendar, by_day))))
    return ForecastView(
        organization_id=organization_id,
        project_id=holder.project_id,
        key_id=holder.key_id,
        time_zone=owner.time_zone,
        first_day=calendar.month[0].day,
        last_day=calendar.month[-1].day,
        made_at=calendar.now,
        coverage_ppm=COVERAGE_PPM,
        lines=tuple(lines),
    )


async def draw_budget_forecasts(
    control: Control, view: Transaction, scope: Scope, organization_id: OrganizationId, page: PageRequest
) -> PageOf[BudgetForecastView]:
    """Return a page of an organization's budgets, of its projects and keys too, each with whether it will be used up.

    Raises NotFound for an organization outside the scope.
    """
    owner = await view.organizations.get(scope, organization_id)
    own = OrganizationScope(organization_id)
    budgets = await view.budgets.list(own, page)
    steps = await view.budgets.list_spent(own, [budget.id for budget in budgets.items])
    calendar = build_calendar(control.clock.now(), owner.time_zone)
    holders = list({budget.holder for budget in budgets.items})
    spent = await _read_days(view, own, organization_id, holders, calendar)
    shown = []
    for budget in budgets.items:
        book = BudgetBook(budget, owner.time_zone, steps.get(budget.id, {}))
        # Which days leave a rolling window is not looked at, so nothing is said of one.
        is_rolling = budget.period is PeriodKind.ROLLING
        by_day = NOTHING if is_rolling else spent.get((budget.holder.id, budget.currency), NOTHING)
        shown.append(_build_budget(budget, compute_forecast(calendar, by_day, book.sum_present(calendar.now))))
    return PageOf(tuple(shown), budgets.next_after)


async def _read_days(
    view: Transaction,
    scope: Scope,
    organization_id: OrganizationId,
    holders: Sequence[Holder],
    calendar: ForecastCalendar,
) -> Mapping[tuple[UUID, str], Spent]:
    """Return what holders spent day by day, by holder and currency."""
    found: dict[tuple[UUID, str], dict[date, int]] = {}
    for each in await view.forecasts.sum_days(scope, organization_id, holders, calendar.begun):
        found.setdefault((each.holder_id, each.currency), {})[each.day] = each.amount_nano
    return found


async def _find_holder(
    view: Transaction, scope: Scope, organization_id: OrganizationId, query: ForecastQuery
) -> Holder:
    if query.project_id is not None and query.key_id is not None:
        raise InvalidInput("expected one holder: a project or a key", "project_id")
    if query.key_id is not None:
        key = await view.keys.get(scope, KeyId(query.key_id))
        holder = Holder(key.organization_id, key.project_id, key.id)
    elif query.project_id is not None:
        project = await view.projects.get(scope, ProjectId(query.project_id))
        holder = Holder(project.organization_id, project.id)
    else:
        holder = Holder(organization_id)
    if holder.organization_id != organization_id:
        raise NotFound(f"there is no {holder.id} in the organization {organization_id}")
    return holder


def _build_range(currency: str, forecast: Forecast) -> ForecastRange:
    end = forecast.end
    return ForecastRange(
        currency=currency,
        method=forecast.method,
        week_count=forecast.week_count,
        spent_nano=forecast.spent_nano,
        low_nano=end.low_nano if end else None,
        expected_nano=end.expected_nano if end else None,
        high_nano=end.high_nano if end else None,
    )


def _build_budget(budget: Budget, forecast: Forecast) -> BudgetForecastView:
    outlook, used_up_on = judge_budget(forecast, budget.amount_nano)
    return BudgetForecastView(
        **dict(_build_range(budget.currency, forecast)),
        budget_id=budget.id,
        organization_id=budget.organization_id,
        project_id=budget.project_id,
        key_id=budget.key_id,
        period=budget.period,
        amount_nano=budget.amount_nano,
        outlook=outlook,
        used_up_on=used_up_on,
    )
