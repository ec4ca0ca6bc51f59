"""Facilities: what a record may say, which of two stands for a day, rings, and the last record of each month."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.facility import (
    Facility,
    FacilityFigures,
    RecordOutcome,
    Ring,
    check_figures,
    choose_month_ends,
    judge_rings,
    merge_facility,
)
from keisan.domain.ids import FacilityId, SiteId
from keisan.domain.verdict import Verdict
from tests.domain.samples import FIGURES, NOW, SITE_ID, build_facility, name_id

HOUR = timedelta(hours=1)


def test_fill_is_derived_and_unknown_where_it_cannot_be() -> None:
    assert FIGURES.fill_permille == 750
    assert FacilityFigures(standard_racks=3, standard_racks_in_use=0).fill_permille == 0
    assert FacilityFigures(standard_racks=3).fill_permille is None
    assert FacilityFigures(standard_racks_in_use=3).fill_permille is None
    assert FacilityFigures(standard_racks=0, standard_racks_in_use=0).fill_permille is None


@pytest.mark.parametrize("figures", [FacilityFigures(), FIGURES, FacilityFigures(pue_permille=1000)])
def test_figures_that_can_be_pass(figures: FacilityFigures) -> None:
    check_figures(figures)


@pytest.mark.parametrize(
    ("figures", "field"),
    [
        (FacilityFigures(latitude_microdegrees=1), "latitude_microdegrees"),
        (FacilityFigures(longitude_microdegrees=1), "latitude_microdegrees"),
        (FacilityFigures(standard_racks=1, standard_racks_in_use=2), "standard_racks_in_use"),
        (FacilityFigures(pue_permille=999), "pue_permille"),
        (FacilityFigures(green_power_permille=1001), "green_power_permille"),
        (FacilityFigures(ports={"400": 1, "399": 1}), "ports.399"),
    ],
)
def test_figures_that_cannot_be_are_refused(figures: FacilityFigures, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_figures(figures)
    assert refusal.value.field == field


def test_rings_that_nobody_measured_are_unknown() -> None:
    assert judge_rings(FIGURES) == {Ring.HUB: Verdict.OK, Ring.CITY: Verdict.FAILED, Ring.NODE: Verdict.OK}
    assert set(judge_rings(FacilityFigures()).values()) == {Verdict.UNKNOWN}
    assert judge_rings(FacilityFigures(latency_node_us=1000))[Ring.NODE] is Verdict.OK
    assert judge_rings(FacilityFigures(latency_node_us=1001))[Ring.NODE] is Verdict.FAILED


def test_what_was_measured_later_stands() -> None:
    stored = build_facility(version=3)
    other = build_facility(id=FacilityId(name_id(50)), figures=FacilityFigures(power_w=1), created_at=NOW + HOUR)
    assert merge_facility(None, other) == (other, RecordOutcome.CREATED)
    assert merge_facility(stored, build_facility()) == (stored, RecordOutcome.UNCHANGED)
    assert merge_facility(stored, replace(other, measured_at=NOW - HOUR)) == (stored, RecordOutcome.OLDER)
    for measured_at in (NOW, NOW + HOUR):
        kept, outcome = merge_facility(stored, replace(other, measured_at=measured_at))
        assert outcome is RecordOutcome.CHANGED
        assert (kept.id, kept.version, kept.created_at) == (stored.id, 4, stored.created_at)
        assert (kept.figures, kept.measured_at) == (other.figures, measured_at)


@given(
    order=st.permutations(range(4)),
    hours=st.lists(st.integers(min_value=0, max_value=3), min_size=4, max_size=4, unique=True),
)
def test_order_of_arrival_does_not_matter(order: list[int], hours: list[int]) -> None:
    records = [build_facility(measured_at=NOW + hours[n] * HOUR, figures=FacilityFigures(power_w=n)) for n in range(4)]
    kept: Facility | None = None
    for place in order:
        kept, _ = merge_facility(kept, records[place])
        again, outcome = merge_facility(kept, records[place])
        assert again == kept
        assert outcome in (RecordOutcome.UNCHANGED, RecordOutcome.OLDER)
    assert kept is not None
    assert kept.figures == max(records, key=lambda record: record.measured_at).figures


def test_month_ends_are_of_each_site() -> None:
    days = [date(2026, 10, 30), date(2026, 11, 1), date(2026, 11, 20)]
    own = [build_facility(day=day) for day in days]
    other = build_facility(site_id=SiteId(name_id(99)), day=date(2026, 11, 2))
    found = choose_month_ends([own[2], other, own[0], own[1]])
    assert found == tuple(sorted([own[0], own[2], other], key=lambda each: (each.day.month, each.site_id)))
    assert SITE_ID in {record.site_id for record in found}
