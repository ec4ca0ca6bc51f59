"""Grades of evidence: measured here is best, hearsay is worst."""

import pytest

from keisan.domain.evidence import Grade

ORDER = "MABCD"


@pytest.mark.parametrize("demanded", Grade)
@pytest.mark.parametrize("grade", Grade)
def test_grade_is_good_enough_if_it_is_not_worse(grade: Grade, demanded: Grade) -> None:
    assert grade.is_at_least(demanded) is (ORDER.index(grade) <= ORDER.index(demanded))
