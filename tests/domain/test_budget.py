"""Budgets: periods are counted in steps, and windows and time zones are what they say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.budget import EPOCH, WINDOW_STEPS, PeriodKind, check_time_zone, check_window
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import BUDGET_WINDOW_S_MAX, BUDGET_WINDOW_S_MIN
from tests.domain.samples import KEY_ID, NOW, ORGANIZATION_ID, PROJECT_ID, build_budget

ROLLING = build_budget(period=PeriodKind.ROLLING, window_s=3600)
LIFETIME = build_budget(period=PeriodKind.LIFETIME)
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def test_holder_is_the_finest_that_is_named() -> None:
    assert build_budget().holder.id == ORGANIZATION_ID
    assert build_budget(project_id=PROJECT_ID, key_id=KEY_ID).holder.id == KEY_ID


def test_month_turns_when_it_does_in_the_time_zone() -> None:
    month = build_budget()
    before, after = NEW_YEAR - timedelta(microseconds=1), NEW_YEAR
    assert month.count_step(after, "UTC") - month.count_step(before, "UTC") == 1
    # In Tokyo the year is nine hours old by then.
    tokyo = [month.count_step(NEW_YEAR - timedelta(hours=hours), "Asia/Tokyo") for hours in (9, 0)]
    assert tokyo == [month.count_step(after, "UTC")] * 2
    assert month.count_step(NEW_YEAR - timedelta(hours=9, seconds=1), "Asia/Tokyo") == tokyo[0] - 1


def test_month_is_the_same_step_in_every_zone_and_begins_anew_in_none() -> None:
    zones = ("UTC", "Asia/Tokyo", "America/Los_Angeles", "Asia/Kathmandu")
    assert len({build_budget().count_step(NOW, zone) for zone in zones}) == 1


def test_window_moves_on_in_sixty_steps() -> None:
    assert (ROLLING.period_steps, WINDOW_STEPS) == (60, 60)
    steps = [ROLLING.count_step(NOW + timedelta(seconds=seconds), "UTC") for seconds in (0, 59, 60, 3600)]
    assert [step - steps[0] for step in steps] == [0, 0, 1, 60]


def test_lifetime_is_one_step() -> None:
    assert {LIFETIME.count_step(NOW + timedelta(days=days), "UTC") for days in (0, 400, 4000)} == {0}
    assert LIFETIME.period_steps == build_budget().period_steps == 1


@given(st.integers(0, 10**10), st.timedeltas(timedelta(0), timedelta(9)))
def test_steps_never_go_back_as_time_goes_on(seconds: int, pause: timedelta) -> None:
    later = EPOCH + timedelta(days=9, seconds=seconds) + pause
    for budget in (build_budget(), ROLLING, LIFETIME):
        earlier = budget.count_step(later - pause, "America/New_York")
        assert earlier <= budget.count_step(later, "America/New_York")


@pytest.mark.parametrize("window_s", [BUDGET_WINDOW_S_MIN, BUDGET_WINDOW_S_MAX, 86_400])
def test_window_within_its_limits(window_s: int) -> None:
    check_window(PeriodKind.ROLLING, window_s)
    for period in (PeriodKind.MONTH, PeriodKind.LIFETIME):
        check_window(period, None)
        with pytest.raises(InvalidInput, match="no window"):
            check_window(period, window_s)


@pytest.mark.parametrize("window_s", [None, 0, BUDGET_WINDOW_S_MIN - 60, BUDGET_WINDOW_S_MAX + 60, 3601])
def test_window_that_no_steps_make_is_refused(window_s: int | None) -> None:
    with pytest.raises(InvalidInput, match="multiple of 60"):
        check_window(PeriodKind.ROLLING, window_s)


def test_time_zones_are_those_of_the_database() -> None:
    for name in ("UTC", "Asia/Shanghai", "America/Argentina/Buenos_Aires"):
        assert check_time_zone(name) == name
    for name in ("", "Tokyo", "../../etc/passwd", "/etc/localtime", "Asia", "utc+9", "UTC\x00"):
        with pytest.raises(InvalidInput) as refused:
            check_time_zone(name)
        assert refused.value.field == "time_zone"
