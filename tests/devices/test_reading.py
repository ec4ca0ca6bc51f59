"""From what a tool says to values of a sample."""

import math

import pytest

from keisan.devices.reading import encode_health, keep_values
from keisan.domain.sample import SAMPLE_FIELDS, VALUE_MAX, SampleName
from keisan.domain.verdict import Verdict


@pytest.mark.parametrize("field", SAMPLE_FIELDS, ids=lambda field: field.name)
def test_values_are_whole_and_within_the_bounds_of_their_field(field: object) -> None:
    field = next(entry for entry in SAMPLE_FIELDS if entry is field)
    assert keep_values({field.name: field.least + 0.4}, is_dear=True) == {field.name: field.least}
    assert keep_values({field.name: float(field.most)}, is_dear=True) == {field.name: field.most}
    assert keep_values({field.name: field.least - 1.0}, is_dear=True) == {}


@pytest.mark.parametrize("number", [None, math.nan, math.inf, -math.inf, 1e300])
def test_what_is_no_number_is_left_out(number: float | None) -> None:
    assert keep_values({SampleName.TEMPERATURE_MILLICELSIUS: number}, is_dear=True) == {}


def test_a_counter_stays_at_the_most_it_can_be() -> None:
    assert keep_values({SampleName.ECC_CORRECTED_COUNT: 1e18}, is_dear=True) == {
        SampleName.ECC_CORRECTED_COUNT: VALUE_MAX
    }


def test_dear_fields_are_left_out_unless_they_are_due() -> None:
    found = {SampleName.CLOCK_MHZ: 1400.0, SampleName.LINK_ERROR_COUNT: 3.0}
    assert keep_values(found, is_dear=False) == {SampleName.CLOCK_MHZ: 1400}
    assert keep_values(found, is_dear=True) == {SampleName.CLOCK_MHZ: 1400, SampleName.LINK_ERROR_COUNT: 3}


def test_health_is_the_place_of_the_verdict() -> None:
    assert [encode_health(verdict) for verdict in Verdict] == list(range(len(Verdict)))
