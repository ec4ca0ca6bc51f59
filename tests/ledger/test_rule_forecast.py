"""Forecast rules: properties that hold of every series, and a backtest against going on as the month has gone so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.forecast import HISTORY_DAYS, BudgetOutlook, ForecastCalendar, ForecastMethod, build_calendar
from keisan.ledger.rule_forecast import COVERAGE_PPM, Forecast, compute_forecast, judge_budget, sum_month
from tests.ledger.forecast_series import (
    Shape,
    draw,
    forecast_at,
    go_on_naively,
    list_moments,
    shape_bursts,
    shape_even,
    shape_growth,
    shape_office,
    sum_truth,
)

# In the middle of a month with four weeks behind it; a Tuesday.
NOW = datetime(2026, 11, 17, 15, tzinfo=UTC)
AMOUNTS = st.integers(min_value=0, max_value=10**30)
# One for each day up to today; a holder spends first on the first of them.
SERIES = st.lists(AMOUNTS, min_size=HISTORY_DAYS, max_size=HISTORY_DAYS)
MOMENTS = st.integers(min_value=0, max_value=729 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def spread(calendar: ForecastCalendar, amounts: list[int]) -> dict[date, int]:
    """Return amounts by day, the last of them today's, with a first day on which something was spent."""
    days = [each.day for each in calendar.history] + [calendar.today.day]
    return dict(zip(days, [1, *amounts], strict=True))


def ask(calendar: ForecastCalendar, spent_by_day: Mapping[date, int]) -> Forecast:
    return compute_forecast(calendar, spent_by_day, sum_month(calendar, spent_by_day))


@given(MOMENTS, SERIES)
def test_never_less_than_is_spent_and_the_path_only_rises(now: datetime, amounts: list[int]) -> None:
    calendar = build_calendar(now, "UTC")
    known = spread(calendar, amounts)
    forecast = ask(calendar, known)
    assert forecast.spent_nano == sum(nano for day, nano in known.items() if day.month == now.month)
    before = forecast.spent_nano
    for outcome in forecast.path:
        assert forecast.spent_nano <= outcome.low_nano <= outcome.expected_nano <= outcome.high_nano
        assert before <= outcome.expected_nano
        before = outcome.expected_nano
    if forecast.path:
        assert [outcome.day for outcome in forecast.path] == [
            calendar.today.day,
            *(each.day for each in calendar.to_come),
        ]


@given(MOMENTS, st.lists(st.tuples(AMOUNTS.filter(bool), AMOUNTS), min_size=HISTORY_DAYS, max_size=HISTORY_DAYS))
def test_more_spent_is_never_less_expected(now: datetime, pairs: list[tuple[int, int]]) -> None:
    calendar = build_calendar(now, "UTC")
    less = ask(calendar, spread(calendar, [amount for amount, _ in pairs])).end
    more = ask(calendar, spread(calendar, [amount + added for amount, added in pairs])).end
    assert less is not None
    assert more is not None
    assert less.expected_nano <= more.expected_nano


@given(
    st.dates(min_value=date(2026, 1, 1), max_value=date(2027, 12, 31)),
    st.integers(min_value=1, max_value=10**30),
    st.integers(min_value=0, max_value=23),
)
def test_exact_on_days_that_are_all_the_same(day: date, amount_nano: int, hour: int) -> None:
    amount_nano *= 24
    calendar, forecast = forecast_at(datetime(day.year, day.month, day.day, hour, tzinfo=UTC), _Always(amount_nano))
    assert forecast.end is not None
    truth = len(calendar.month) * amount_nano
    assert (forecast.end.low_nano, forecast.end.expected_nano, forecast.end.high_nano) == (truth, truth, truth)


@given(MOMENTS, st.lists(AMOUNTS.map(lambda amount: amount * 24 * 60 + 1440), min_size=7, max_size=7))
def test_exact_on_weeks_that_are_all_the_same(now: datetime, week: list[int]) -> None:
    series = {date(2025, 11, 1) + timedelta(days=number): week[number % 7] for number in range(900)}
    calendar, forecast = forecast_at(now, series)
    assert forecast.end is not None
    truth = sum_truth(calendar, series)
    assert (forecast.end.low_nano, forecast.end.expected_nano, forecast.end.high_nano) == (truth, truth, truth)


@given(SERIES)
def test_last_moment_of_a_month_tells_what_it_came_to(amounts: list[int]) -> None:
    """In the last microsecond of a 30-day month, what is to come is less than what any amount differs by."""
    calendar = build_calendar(datetime(2026, 12, 1, tzinfo=UTC) - timedelta(microseconds=1), "UTC")
    forecast = ask(calendar, spread(calendar, amounts))
    if forecast.end is not None:
        to_come = forecast.end.high_nano - forecast.spent_nano
        assert to_come <= 2 + max(amounts) * 3 // (24 * 3600 * 10**6) + max(amounts) // 10**5


@pytest.mark.parametrize(
    ("whole_days", "method", "week_count"),
    [
        (6, ForecastMethod.NONE, 0),
        (7, ForecastMethod.MEAN, 1),
        (20, ForecastMethod.MEAN, 2),
        (21, ForecastMethod.WEEKDAY, 3),
        (28, ForecastMethod.WEEKDAY, 4),
    ],
)
def test_few_days_give_no_forecast_and_more_a_better_one(
    whole_days: int, method: ForecastMethod, week_count: int
) -> None:
    calendar = build_calendar(NOW, "UTC")
    days = [each.day for each in calendar.history][-whole_days - 1 :]
    forecast = ask(calendar, dict.fromkeys([*days, NOW.date()], 5))
    assert (forecast.method, forecast.week_count) == (method, week_count)
    assert (forecast.end is None) == (method is ForecastMethod.NONE)
    assert forecast.spent_nano == 5 * (1 + min(16, whole_days + 1))


def test_nothing_and_next_to_nothing_give_no_forecast() -> None:
    calendar = build_calendar(NOW, "UTC")
    assert ask(calendar, {}) == Forecast(0, ForecastMethod.NONE, 0, ())
    rare = {calendar.history[0].day: 9, calendar.history[5].day: 9, calendar.history[9].day: 9}
    assert ask(calendar, rare).path == ()
    assert ask(calendar, rare | {calendar.history[20].day: 9}).path != ()


def test_budget_is_judged_by_expectation_and_by_the_upper_end() -> None:
    series = draw(shape_office, 7)
    _, forecast = forecast_at(NOW, series)
    assert forecast.end is not None
    assert judge_budget(forecast, forecast.spent_nano) == (BudgetOutlook.USED_UP, None)
    assert judge_budget(forecast, forecast.end.expected_nano) == (BudgetOutlook.EXPECTED, date(2026, 11, 30))
    assert judge_budget(forecast, forecast.path[2].expected_nano) == (BudgetOutlook.EXPECTED, date(2026, 11, 19))
    assert judge_budget(forecast, forecast.end.high_nano) == (BudgetOutlook.POSSIBLE, date(2026, 11, 30))
    assert judge_budget(forecast, forecast.end.high_nano + 1) == (BudgetOutlook.UNLIKELY, None)
    nothing = compute_forecast(build_calendar(NOW, "UTC"), {}, 3)
    assert judge_budget(nothing, 4) == (BudgetOutlook.UNKNOWN, None)
    assert judge_budget(nothing, 3) == (BudgetOutlook.USED_UP, None)


@dataclass(frozen=True)
class Score:
    """Errors in parts per million of what months came to, and how many ended within the range."""

    error_ppm: int
    naive_ppm: int
    covered_ppm: int


def score(shape: Shape, seeds: range = range(3)) -> Score:
    errors, naive_errors, covered, count = 0, 0, 0, 0
    for seed in seeds:
        series = draw(shape, seed)
        for now in list_moments():
            calendar, forecast = forecast_at(now, series)
            assert forecast.end is not None
            truth, end = sum_truth(calendar, series), forecast.end
            errors += abs(end.expected_nano - truth) * 10**6 // truth
            naive_errors += abs(go_on_naively(calendar, forecast.spent_nano) - truth) * 10**6 // truth
            covered += end.low_nano <= truth <= end.high_nano
            count += 1
    return Score(errors // count, naive_errors // count, covered * 10**6 // count)


@pytest.mark.parametrize(
    ("shape", "gain"), [(shape_office, 4), (shape_even, 1), (shape_bursts, 1)], ids=["office", "even", "bursts"]
)
def test_backtest_beats_the_naive_rule_and_covers_what_it_states(shape: Shape, gain: int) -> None:
    found = score(shape)
    assert found.error_ppm * gain < found.naive_ppm, found
    assert found.covered_ppm >= COVERAGE_PPM - 50_000, found


def test_backtest_of_growth_is_told_as_it_is() -> None:
    """Nothing looks ahead: what grows by a twentieth each week ends above the range more often than stated (Q53)."""
    found = score(shape_growth)
    assert 200_000 < found.covered_ppm < COVERAGE_PPM, found


class _Always(dict[date, int]):
    """The same amount on every day there is."""

    def __init__(self, amount_nano: int) -> None:
        super().__init__()
        self._amount_nano = amount_nano

    def get(self, key: date, default: object = None) -> int:
        return self._amount_nano
