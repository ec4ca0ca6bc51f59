"""Forecasts: what a holder's running calendar month is expected to come to, in its organization's time zone.

A forecast is told and never posted: no balance, budget or ticket hangs on it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from keisan.domain.statement import find_period

# As many whole weeks before today are looked at, so that each weekday is among them as often as any other.
FORECAST_WEEKS_MAX = 4
DAYS_PER_WEEK = 7
# The day on which a holder first spends is not a whole one, so one more is read than is used.
HISTORY_DAYS = FORECAST_WEEKS_MAX * DAYS_PER_WEEK + 1
ONE_DAY = timedelta(days=1)


class ForecastMethod(StrEnum):
    """How the days to come are told: each as its weekday was on average, or all as the days before were; or not at all."""

    WEEKDAY = "weekday"
    MEAN = "mean"
    NONE = "none"


class BudgetOutlook(StrEnum):
    """Whether a budget will be used up by the end of the month.

    `used_up`: it is. `expected`: the middle of the range reaches it. `possible`: its upper end does. `unlikely`: neither.
    `unknown`: there is no forecast.
    """

    USED_UP = "used_up"
    EXPECTED = "expected"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A calendar day of some time zone: instants from `starts_at` until before `ends_at`, in UTC."""

    day: date
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class DaySum:
    """What one holder spent in one currency on one local day."""

    holder_id: UUID
    currency: str
    day: date
    amount_nano: int


@dataclass(frozen=True, slots=True)
class ForecastCalendar:
    """The days that a forecast is about: those looked back at, today, and the rest of the running month."""

    now: datetime
    history: tuple[LocalDay, ...]
    month: tuple[LocalDay, ...]

    @property
    def today(self) -> LocalDay:
        """Return the day that it is."""
        return self.month[sum(day.ends_at <= self.now for day in self.month)]

    @property
    def begun(self) -> tuple[LocalDay, ...]:
        """Return all days up to today, without gaps: those looked back at, and those of the month before today."""
        first = min(self.history[0].day, self.month[0].day)
        days = {each.day: each for each in (*self.history, *self.month)}
        return tuple(days[day] for day in sorted(days) if first <= day <= self.today.day)

    @property
    def to_come(self) -> tuple[LocalDay, ...]:
        """Return the whole days of the month that are left."""
        return tuple(each for each in self.month if each.day > self.today.day)


def build_calendar(now: datetime, time_zone: str) -> ForecastCalendar:
    """Return the calendar of an instant in a time zone."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    month = find_period(today)
    history = tuple(_build_day(today - ONE_DAY * back, zone) for back in range(HISTORY_DAYS, 0, -1))
    days = (month.last_day - month.first_day).days + 1
    return ForecastCalendar(
        now, history, tuple(_build_day(month.first_day + ONE_DAY * number, zone) for number in range(days))
    )


def build_span(now: datetime, days: int) -> ForecastCalendar:
    """Return a calendar in UTC of today and so many days after it, in place of a month."""
    zone = ZoneInfo("UTC")
    today = now.astimezone(zone).date()
    history = tuple(_build_day(today - ONE_DAY * back, zone) for back in range(HISTORY_DAYS, 0, -1))
    return ForecastCalendar(now, history, tuple(_build_day(today + ONE_DAY * each, zone) for each in range(days + 1)))


def _build_day(day: date, zone: ZoneInfo) -> LocalDay:
    return LocalDay(day, _find_start(day, zone), _find_start(day + ONE_DAY, zone))


def _find_start(day: date, zone: ZoneInfo) -> datetime:
    # Where midnight is skipped this is the instant after it, and where it comes twice the first of the two.
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
