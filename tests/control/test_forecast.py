"""Forecasts of a planted month: by holder and currency, in the organization's time zone, beside budgets as they count."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from keisan.control.context import Control
from keisan.control.forecast import draw_budget_forecasts, draw_forecast
from keisan.domain.access import OrganizationScope, PlatformScope, Scope
from keisan.domain.budget import PeriodKind
from keisan.domain.errors import InvalidInput, NotFound
from keisan.domain.forecast import BudgetOutlook, ForecastMethod, build_calendar
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.wire.forecast import BudgetForecastView, ForecastQuery, ForecastView
from tests.domain.samples import build_posted, create_record_id
from tests.factories import World, create_budget, create_record

EVERYTHING = PlatformScope()
CURRENCY = "EUR"
TIME_ZONE = "Asia/Tokyo"


async def spend_daily(control: Control, world: World, amount_nano: int, days: int) -> None:
    """Let the left organization, in Tokyo, spend as much at every noon there of so many days before today."""
    left = world.left
    today = build_calendar(control.clock.now(), TIME_ZONE).today
    posted = []
    for back in range(1, days + 1):
        noon: datetime = today.starts_at + timedelta(hours=12) - timedelta(days=back)
        record = create_record(left.key, world.price, left.replica, world.gateway)._replace(
            id=create_record_id(noon), day=noon.date(), admitted_at=noon, amount_nano=amount_nano
        )
        posted.append(build_posted(record, entry_id=None, currency=CURRENCY))
    async with control.storage.write() as transaction:
        organization = await transaction.organizations.get(EVERYTHING, left.organization.id)
        changed = replace(organization, time_zone=TIME_ZONE, version=organization.version + 1)
        await transaction.organizations.update(changed)
        await transaction.usage.insert_many(posted)


async def ask(
    control: Control, world: World, query: ForecastQuery | None = None, scope: Scope = EVERYTHING
) -> ForecastView:
    async with control.storage.read() as view:
        return await draw_forecast(control, view, scope, world.left.organization.id, query or ForecastQuery())


async def ask_budgets(control: Control, world: World, scope: Scope = EVERYTHING) -> list[BudgetForecastView]:
    async with control.storage.read() as view:
        found = await draw_budget_forecasts(control, view, scope, world.left.organization.id, PageRequest())
    return list(found.items)


async def test_month_is_the_time_zones_and_days_repeat(control: Control, world: World) -> None:
    await spend_daily(control, world, 1000, 35)
    calendar = build_calendar(control.clock.now(), TIME_ZONE)
    for query in (
        ForecastQuery(),
        ForecastQuery(project_id=world.left.project.id),
        ForecastQuery(key_id=world.left.key.id),
    ):
        found = await ask(control, world, query)
        assert (found.time_zone, found.first_day, found.last_day) == (
            TIME_ZONE,
            calendar.month[0].day,
            calendar.month[-1].day,
        )
        planted, line = found.lines
        assert (planted.currency, planted.method, planted.expected_nano) == ("CNY", ForecastMethod.NONE, None)
        assert (line.currency, line.method, line.week_count) == (CURRENCY, ForecastMethod.WEEKDAY, 4)
        gone = calendar.today.day.day - 1
        assert line.spent_nano == gone * 1000
        left = calendar.today.ends_at - calendar.now
        rest = 1000 * len(calendar.to_come) + 1000 * (left // left.resolution) // (24 * 3600 * 10**6)
        assert line.expected_nano is not None
        assert abs(line.expected_nano - line.spent_nano - rest) <= 1
        assert line.low_nano == line.expected_nano == line.high_nano


async def test_budgets_are_judged_as_they_count(control: Control, world: World) -> None:
    await spend_daily(control, world, 1000, 35)
    month, rolling, lifetime = (
        create_budget(world.left.key, period=PeriodKind.MONTH, currency=CURRENCY, amount_nano=10_000),
        create_budget(
            world.left.key, period=PeriodKind.ROLLING, currency=CURRENCY, amount_nano=10_000, window_s=7 * 24 * 3600
        ),
        create_budget(world.left.key, period=PeriodKind.LIFETIME, currency=CURRENCY, amount_nano=10**9),
    )
    calendar = build_calendar(control.clock.now(), TIME_ZONE)
    async with control.storage.write() as transaction:
        for budget in (month, rolling, lifetime):
            await transaction.budgets.insert(budget)
        spent = {month.count_step(calendar.now, TIME_ZONE): 8500}
        await transaction.budgets.change_spent(month.id, spent, ())
    shown = {line.budget_id: line for line in await ask_budgets(control, world)}
    assert shown.keys() == {month.id, rolling.id, lifetime.id, world.left.budget.id}
    found = shown[month.id]
    assert (found.spent_nano, found.outlook) == (8500, BudgetOutlook.EXPECTED)
    # 1,500 are left: the rest of today, and the day or two after.
    assert found.used_up_on in {calendar.today.day + timedelta(days=number) for number in (1, 2)}
    assert (shown[rolling.id].outlook, shown[rolling.id].method) == (BudgetOutlook.UNKNOWN, ForecastMethod.NONE)
    assert (shown[lifetime.id].outlook, shown[lifetime.id].used_up_on) == (BudgetOutlook.UNLIKELY, None)
    assert shown[world.left.budget.id].outlook is BudgetOutlook.UNKNOWN


async def test_nobody_sees_anothers(control: Control, world: World) -> None:
    stranger = OrganizationScope(world.right.organization.id)
    with pytest.raises(NotFound):
        await ask(control, world, scope=stranger)
    with pytest.raises(NotFound):
        await ask_budgets(control, world, scope=stranger)
    for query in (
        ForecastQuery(project_id=world.right.project.id),
        ForecastQuery(key_id=world.right.key.id),
        ForecastQuery(key_id=create_id()),
    ):
        for scope in (EVERYTHING, OrganizationScope(world.left.organization.id)):
            with pytest.raises(NotFound):
                await ask(control, world, query, scope)
    with pytest.raises(InvalidInput):
        await ask(control, world, ForecastQuery(project_id=world.left.project.id, key_id=world.left.key.id))


async def test_without_spending_there_is_nothing_to_tell(control: Control, world: World) -> None:
    async with control.storage.read() as view:
        found = await draw_forecast(
            control, view, EVERYTHING, world.right.organization.id, ForecastQuery(project_id=world.right.project.id)
        )
    assert [line.method for line in found.lines] == [ForecastMethod.NONE]
