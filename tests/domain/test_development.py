"""Development: months, ends of months, growth, and what facilities come to."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from keisan.domain.development import (
    DevelopmentFigure,
    choose_records,
    describe_facilities,
    divide,
    parse_month,
)
from keisan.domain.errors import InvalidInput
from keisan.domain.facility import Facility, FacilityFigures
from keisan.domain.ids import FacilityId, KeyId, PlatformId, SiteId

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def create(site: int, day: date, **figures: int) -> Facility:
    measured_at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    own = FacilityFigures(**figures)  # type: ignore[arg-type]  # whole numbers
    ids = (FacilityId(UUID(int=1)), PlatformId("p"), SiteId(UUID(int=site)))
    return Facility(*ids, day, measured_at, own, KeyId(UUID(int=1)), NOON, 1, NOON)


@pytest.mark.parametrize(
    ("text", "days"),
    [("2026-11", (date(2026, 11, 1), date(2026, 11, 30))), ("2028-02", (date(2028, 2, 1), date(2028, 2, 29)))],
)
def test_a_month_has_a_first_and_a_last_day(text: str, days: tuple[date, date]) -> None:
    assert parse_month(text) == days


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-1", "1026-11", "2026-11-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_month(text)


@pytest.mark.parametrize(
    ("first", "last", "growth"),
    [(100, 125, 250), (100, 50, -500), (0, 5, None), (None, 5, None), (5, None, None), (3, 3, 0)],
)
def test_growth_is_of_what_there_was(first: int | None, last: int | None, growth: int | None) -> None:
    assert DevelopmentFigure("x", "1", first, last, None, None).growth_permille == growth


def test_a_month_begins_with_the_newest_record_of_before() -> None:
    days = [date(2026, 10, 5), date(2026, 10, 30), date(2026, 11, 1), date(2026, 11, 9)]
    records = [create(1, day) for day in days] + [create(2, days[3]), create(2, days[2].replace(day=20))]
    first, last = choose_records(reversed(records), date(2026, 11, 1))
    assert {each.site_id.int: each.day for each in first} == {1: days[2], 2: days[3]}
    assert {each.site_id.int: each.day for each in last} == {1: days[3], 2: date(2026, 11, 20)}


def test_facilities_are_weighed_by_what_they_have() -> None:
    day = date(2026, 11, 9)
    small = create(1, day, standard_racks=10, standard_racks_in_use=10, pue_permille=2000, power_w=1000)
    large = create(2, day, standard_racks=90, standard_racks_in_use=0, pue_permille=1250, power_w=10_000)
    silent = create(3, day, pue_permille=1500)
    before = replace(small, figures=FacilityFigures(standard_racks=10, standard_racks_in_use=5))
    told = {each.name: each for each in describe_facilities([before], [small, large, silent], 4)}
    assert (told["standard_racks"].first, told["standard_racks"].last) == (10, 100)
    assert (told["fill_permille"].first, told["fill_permille"].last) == (500, 100)
    # 11 kW for 8.5 kW of IT.
    assert (told["pue_permille"].first, told["pue_permille"].last) == (None, 1294)
    assert {each.coverage_permille for each in told.values()} == {500}
    assert told["fill_permille"].as_of == small.measured_at


def test_nobody_told_is_unknown_and_not_nought() -> None:
    for figure in describe_facilities([], [], 0):
        assert (figure.first, figure.last, figure.coverage_permille, figure.as_of) == (None, None, None, None)
    assert divide([None]) is None
    assert divide([(5, 0), None, (7, 0)]) == 12
