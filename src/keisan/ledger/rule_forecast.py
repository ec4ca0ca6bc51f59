"""Forecast rules: what a month will come to, from what days before cost. Values in, values out, integers only.

Each day to come is expected to cost what its weekday did on average over the last three or four weeks; with one or two
weeks of data, what a day did on average; with less there is no forecast. A mean of past days is exact on what repeats,
never falls when more was spent on the same days, and everybody can check it by hand. Decision 0042 says what else was tried.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import isqrt

from keisan.domain.forecast import DAYS_PER_WEEK, FORECAST_WEEKS_MAX, BudgetOutlook, ForecastCalendar, ForecastMethod
from keisan.domain.price import divide_half_even

# With so many whole weeks each weekday has a mean of its own.
WEEKDAY_WEEKS_MIN = 3
# On fewer days with spending than this, nobody can tell a habit from chance.
SPENDING_DAYS_MIN = 3
# The part of months that end within the range, if days vary on their own around their mean.
COVERAGE_PPM = 800_000
# Student's t at 0.9, in thousandths, by degrees of freedom: days less means, for 1 to 4 weeks. Any table of t has them.
DAY_T_MILLI = {6: 1440, 13: 1350, 14: 1345, 21: 1323}
# The same for whole weeks, by their number: degrees are one less.
WEEK_T_MILLI = {2: 3078, 3: 1886, 4: 1638}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is spent by the end of a day: at least, as expected, and at most with the stated coverage."""

    day: date
    low_nano: int
    expected_nano: int
    high_nano: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was spent in the month, and how it goes on to its last day; without a method there is no path.

    `week_count` is of how many whole weeks it was made.
    """

    spent_nano: int
    method: ForecastMethod
    week_count: int
    path: tuple[Outcome, ...]

    @property
    def end(self) -> Outcome | None:
        """Return what the whole month comes to."""
        return self.path[-1] if self.path else None


@dataclass(frozen=True, slots=True)
class _Habit:
    """What a day of each weekday costs on average, from `week_count` weeks.

    `variance` is of days around that, with so many degrees of freedom: days less means. `drift` is of the level itself from
    week to week: what whole weeks differ by beyond what days that vary on their own would make of them.
    """

    method: ForecastMethod
    week_count: int
    means: Mapping[int, Fraction]
    variance: Fraction
    degrees: int
    drift: Fraction


def compute_forecast(calendar: ForecastCalendar, spent_by_day: Mapping[date, int], spent_nano: int) -> Forecast:
    """Return how a month goes on that `spent_nano` was spent in, from what days cost; a day that is not named cost nothing."""
    habit = _find_habit(calendar, spent_by_day)
    if habit is None:
        return Forecast(spent_nano, ForecastMethod.NONE, 0, ())
    return Forecast(spent_nano, habit.method, habit.week_count, tuple(_walk_path(calendar, habit, spent_nano)))


def sum_month(calendar: ForecastCalendar, spent_by_day: Mapping[date, int]) -> int:
    """Return what was spent in the running month."""
    return sum(spent_by_day.get(each.day, 0) for each in calendar.month)


def judge_budget(forecast: Forecast, amount_nano: int) -> tuple[BudgetOutlook, date | None]:
    """Return whether a budget of an amount will be used up, and on which day.

    The day is the one on which the expected path reaches the amount; of what is but possible, the one on which the upper end
    does.
    """
    if forecast.spent_nano >= amount_nano:
        return BudgetOutlook.USED_UP, None
    if not forecast.path:
        return BudgetOutlook.UNKNOWN, None
    for outcome in forecast.path:
        if outcome.expected_nano >= amount_nano:
            return BudgetOutlook.EXPECTED, outcome.day
    for outcome in forecast.path:
        if outcome.high_nano >= amount_nano:
            return BudgetOutlook.POSSIBLE, outcome.day
    return BudgetOutlook.UNLIKELY, None


def _find_habit(calendar: ForecastCalendar, spent_by_day: Mapping[date, int]) -> _Habit | None:
    """Return a holder's habit, None if there are too few whole days since it first spent, or too few with spending."""
    days = [(each.day, spent_by_day.get(each.day, 0)) for each in calendar.history]
    begun = next((place for place, (_, amount_nano) in enumerate(days) if amount_nano), len(days))
    # On its first day a holder may have begun in the evening.
    whole = days[begun + 1 :]
    week_count = min(FORECAST_WEEKS_MAX, len(whole) // DAYS_PER_WEEK)
    used = whole[len(whole) - week_count * DAYS_PER_WEEK :]
    if not week_count or sum(amount_nano > 0 for _, amount_nano in used) < SPENDING_DAYS_MIN:
        return None
    method = ForecastMethod.WEEKDAY if week_count >= WEEKDAY_WEEKS_MIN else ForecastMethod.MEAN
    means = _find_means(method, used)
    deviations = [Fraction(amount_nano) - means[day.weekday()] for day, amount_nano in used]
    degrees = len(used) - (DAYS_PER_WEEK if method is ForecastMethod.WEEKDAY else 1)
    variance = sum((each**2 for each in deviations), Fraction(0)) * Fraction(1, degrees)
    return _Habit(method, week_count, means, variance, degrees, _find_drift(deviations, variance))


def _find_drift(deviations: Sequence[Fraction], variance: Fraction) -> Fraction:
    """Return the variance of the level of days from week to week; 0 where days alone explain how weeks differ.

    A week's sum varies by 7 variances of a day of its own and 49 of the level; `variance` holds one of each.
    """
    weeks = [sum(deviations[start : start + DAYS_PER_WEEK]) for start in range(0, len(deviations), DAYS_PER_WEEK)]
    if len(weeks) == 1:
        return Fraction(0)
    of_weeks = sum((week**2 for week in weeks), Fraction(0)) * Fraction(1, len(weeks) - 1)
    excess = of_weeks - DAYS_PER_WEEK * variance
    return max(Fraction(0), excess * Fraction(1, DAYS_PER_WEEK * (DAYS_PER_WEEK - 1)))


def _find_means(method: ForecastMethod, used: Sequence[tuple[date, int]]) -> dict[int, Fraction]:
    if method is ForecastMethod.MEAN:
        mean = Fraction(sum(amount_nano for _, amount_nano in used), len(used))
        return dict.fromkeys(range(DAYS_PER_WEEK), mean)
    by_weekday: dict[int, list[int]] = {weekday: [] for weekday in range(DAYS_PER_WEEK)}
    for day, amount_nano in used:
        by_weekday[day.weekday()].append(amount_nano)
    return {weekday: Fraction(sum(amounts), len(amounts)) for weekday, amounts in by_weekday.items()}


def _walk_path(calendar: ForecastCalendar, habit: _Habit, spent_nano: int) -> Iterator[Outcome]:
    today = calendar.today
    length, left = today.ends_at - today.starts_at, today.ends_at - calendar.now
    # Microseconds are whole, so the part of today that is left is exact.
    part = Fraction(left // left.resolution, length // length.resolution)
    days = [(today.day, part), *((each.day, Fraction(1)) for each in calendar.to_come)]
    expected = Fraction(spent_nano)
    parts_by_weekday = dict.fromkeys(range(DAYS_PER_WEEK), Fraction(0))
    for day, day_part in days:
        expected += day_part * habit.means[day.weekday()]
        parts_by_weekday[day.weekday()] += day_part
        half = _find_half_width(habit, parts_by_weekday)
        expected_nano = divide_half_even(expected.numerator, expected.denominator)
        yield Outcome(
            day=day,
            low_nano=max(spent_nano, expected_nano - half),
            expected_nano=expected_nano,
            high_nano=expected_nano + half,
        )


def _find_half_width(habit: _Habit, parts_by_weekday: Mapping[int, Fraction]) -> int:
    """Return half of the range's width: days to come vary, and so would the means have, had other weeks been looked at.

    The variance of a sum of m days less m times a mean of n of them is that of one day times m + m^2 / n. Where the level
    drifts, all days to come are off alike.
    """
    all_parts = sum(parts_by_weekday.values(), Fraction(0))
    if habit.method is ForecastMethod.WEEKDAY:
        squares = sum((parts**2 for parts in parts_by_weekday.values()), Fraction(0))
        spread = all_parts + squares * Fraction(1, habit.week_count)
    else:
        spread = all_parts + all_parts**2 * Fraction(1, habit.week_count * DAYS_PER_WEEK)
    squared = habit.variance * spread * Fraction(DAY_T_MILLI[habit.degrees], 1000) ** 2
    if habit.drift:
        drifted = habit.drift * all_parts**2 * (1 + Fraction(1, habit.week_count))
        squared += drifted * Fraction(WEEK_T_MILLI[habit.week_count], 1000) ** 2
    whole = squared.numerator // squared.denominator
    root = isqrt(whole)
    return root if root * root == squared else root + 1
