"""Series of known shape, day by day, and what a rule says of them at every hour asked."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from keisan.domain.forecast import ForecastCalendar, build_calendar
from keisan.ledger.rule_forecast import Forecast, compute_forecast, sum_month

FIRST_DAY = date(2026, 1, 1)
DAYS = 360
UNIT_NANO = 10**12
Shape = Callable[[date, random.Random], int]


def shape_office(day: date, chance: random.Random) -> int:
    """People at work: a weekend costs a fifth, and days vary by a tenth."""
    level = UNIT_NANO // 5 if day.weekday() >= 5 else UNIT_NANO
    return max(0, level + level * chance.randint(-1732, 1732) // 10_000)


def shape_even(day: date, chance: random.Random) -> int:
    """The same every day but for chance: from nothing to twice as much."""
    return chance.randint(0, 2 * UNIT_NANO)


def shape_bursts(day: date, chance: random.Random) -> int:
    """Little on most days, and on one of seven ten times as much."""
    return UNIT_NANO * (10 if chance.randrange(7) == 0 else 1)


def shape_growth(day: date, chance: random.Random) -> int:
    """Office days that grow by a twentieth each week."""
    weeks = (day - FIRST_DAY).days // 7
    return int(shape_office(day, chance) * 21**weeks // 20**weeks)


def draw(shape: Shape, seed: int) -> dict[date, int]:
    """Return a year of days."""
    chance = random.Random(seed)
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    return {day: shape(day, chance) for day in days}


def forecast_at(now: datetime, series: Mapping[date, int]) -> tuple[ForecastCalendar, Forecast]:
    """Return what the rule says at an instant: of today, the part that has gone by is spent."""
    calendar = build_calendar(now, "UTC")
    today = calendar.today
    gone, length = now - today.starts_at, today.ends_at - today.starts_at
    known = {each.day: series.get(each.day, 0) for each in calendar.begun}
    known[today.day] = known[today.day] * (gone // gone.resolution) // (length // length.resolution)
    return calendar, compute_forecast(calendar, known, sum_month(calendar, known))


def sum_truth(calendar: ForecastCalendar, series: Mapping[date, int]) -> int:
    """Return what the month came to in the end."""
    return sum(series.get(each.day, 0) for each in calendar.month)


def go_on_naively(calendar: ForecastCalendar, spent_nano: int) -> int:
    """Return what the month comes to if it goes on as it has gone so far: the rule that a person uses."""
    first, last = calendar.month[0], calendar.month[-1]
    gone, length = calendar.now - first.starts_at, last.ends_at - first.starts_at
    return spent_nano * (length // length.resolution) // max(1, gone // gone.resolution)


def list_moments() -> list[datetime]:
    """Return a moment in the afternoon of each third day from March to November."""
    start = datetime(2026, 3, 2, 15, tzinfo=UTC)
    return [start + timedelta(days=number) for number in range(0, 270, 3)]
