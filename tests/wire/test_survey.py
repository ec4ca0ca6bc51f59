"""A survey's line as the API shows it."""

from keisan.wire.survey import SURVEY_CSV, build_survey_view
from tests.domain.samples import build_survey_line


def test_view_has_the_line_with_its_evidence() -> None:
    line = build_survey_line()
    view = build_survey_view(line)
    assert (view.source, view.date, view.grade) == (line.evidence.source, line.evidence.date, line.evidence.grade)
    assert (view.region, view.owner, view.device_count, view.line) == ("CN-SX", "Datong", 100, 1)


def test_each_line_of_a_table_has_evidence() -> None:
    assert [column.name for column in SURVEY_CSV.columns][-3:] == ["source", "date", "grade"]
