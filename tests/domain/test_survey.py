"""Surveys: of each source its newest date counts, and their rows are told apart from all others by their kind alone."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.capacity import CapacityRow
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.figure import Precision
from keisan.domain.survey import SurveyedFacility, choose_newest_lines, list_surveyed
from tests.domain.samples import NOW, build_survey_line
from tests.domain.test_claim import CHIPS

TODAY = NOW.date()


@given(surveys=st.lists(st.tuples(st.sampled_from("ab"), st.integers(min_value=-2, max_value=3))))
def test_newest_date_of_each_source_counts(surveys: list[tuple[str, int]]) -> None:
    lines = [
        build_survey_line(evidence=Evidence(source, Grade.PRESS, TODAY - timedelta(days=age)), line=place)
        for place, (source, age) in enumerate(surveys)
    ]
    expected = [
        line
        for line, (source, age) in zip(lines, surveys, strict=True)
        if age >= 0 and age == min(other for name, other in surveys if name == source and other >= 0)
    ]
    assert list(choose_newest_lines(lines, TODAY)) == expected


def test_vendor_is_the_catalogues_where_it_knows_the_chip() -> None:
    known = build_survey_line(facility=SurveyedFacility("CN-SX", "Datong", "nvidia corp", "nvidia-h20", 100))
    told = build_survey_line(
        facility=SurveyedFacility("CN-SH", "city", "MetaX", memory_bytes=5, gflops={Precision.FP16: 7})
    )
    assert list_surveyed([known, told], CHIPS) == (
        CapacityRow("CN-SX", "Datong", "NVIDIA", "nvidia-h20", "US", 100),
        CapacityRow("CN-SH", "city", "MetaX", None, None, None, None, 5, None, {Precision.FP16: 7}),
    )
