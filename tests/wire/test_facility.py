"""Records of facilities on the wire: what follows from them, and texts that would be formulas elsewhere."""

import pytest

from keisan.domain.facility import Ring
from keisan.domain.verdict import Verdict
from keisan.wire.facility import FORMULA_BEGINNINGS, build_facility_view, check_plain
from tests.domain.samples import FIGURES, build_facility


def test_view_has_what_was_measured_and_what_follows() -> None:
    record = build_facility()
    view = build_facility_view(record)
    assert (view.id, view.day, view.address, view.ports) == (record.id, record.day, FIGURES.address, FIGURES.ports)
    assert (view.fill_permille, view.rings[Ring.CITY]) == (750, Verdict.FAILED)


@pytest.mark.parametrize("text", [*(f"{beginning}1" for beginning in FORMULA_BEGINNINGS), "a\0", "a\nb", "a\x1f"])
def test_text_that_is_a_formula_or_has_control_characters_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no spreadsheet"):
        check_plain(text)


def test_plain_text_stays() -> None:
    assert check_plain("大同市 1-2, 計算 street") == "大同市 1-2, 計算 street"
