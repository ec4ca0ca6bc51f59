"""Calendars: every instant is in one day of its month, in any time zone, also where clocks are changed at midnight."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.budget import DEFAULT_TIME_ZONE, PeriodKind
from keisan.domain.forecast import HISTORY_DAYS, ONE_DAY, build_calendar
from tests.domain.samples import build_budget

ZONES = st.sampled_from(
    ["UTC", "Asia/Tokyo", "Europe/Berlin", "America/St_Johns", "Africa/Cairo", "Pacific/Kiritimati"]
)
MINUTES = st.integers(min_value=0, max_value=3 * 366 * 24 * 60)


@given(MINUTES, ZONES)
def test_days_follow_each_other_and_hold_the_instant(minutes: int, zone: str) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    calendar = build_calendar(now, zone)
    assert calendar.today.starts_at <= now < calendar.today.ends_at
    for days in (calendar.begun, calendar.month, calendar.history):
        for before, after in pairwise(days):
            assert (before.ends_at, before.day + ONE_DAY) == (after.starts_at, after.day)
    assert (len(calendar.history), calendar.history[-1].ends_at) == (HISTORY_DAYS, calendar.today.starts_at)
    assert calendar.begun[-1] == calendar.today
    assert (calendar.today, *calendar.to_come) == calendar.month[calendar.today.day.day - 1 :]
    assert {each.day for each in calendar.month if each.day <= calendar.today.day} <= {e.day for e in calendar.begun}


@given(MINUTES, ZONES)
def test_month_is_the_one_that_budgets_count(minutes: int, zone: str) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    calendar, budget = build_calendar(now, zone), build_budget(period=PeriodKind.MONTH)
    step = budget.count_step(now, zone)
    first, last = calendar.month[0].starts_at, calendar.month[-1].ends_at
    assert budget.count_step(first, zone) == budget.count_step(last - timedelta(microseconds=1), zone) == step
    assert budget.count_step(first - timedelta(microseconds=1), zone) == step - 1
    assert budget.count_step(last, zone) == step + 1


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 4, 24), 23), (date(2026, 10, 29), 25), (date(2026, 5, 5), 24)])
def test_days_have_as_many_hours_as_clocks_say(day: date, hours: int) -> None:
    """In Cairo clocks go forward at midnight, and back at midnight to the day before."""
    calendar = build_calendar(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), "Africa/Cairo")
    assert calendar.today.ends_at - calendar.today.starts_at == timedelta(hours=hours)
    assert build_calendar(calendar.now, DEFAULT_TIME_ZONE).today.ends_at - ONE_DAY == datetime(
        day.year, day.month, day.day, tzinfo=UTC
    )
