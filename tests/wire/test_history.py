"""Questions to history on the wire."""

import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.history_question import FIELDS_DEFAULT
from keisan.domain.sample import SampleName
from keisan.wire.history import HistoryQuery, parse_fields


def test_fields_are_names_with_commas() -> None:
    assert parse_fields(HistoryQuery().fields) == FIELDS_DEFAULT
    assert parse_fields(",".join(SampleName)) == tuple(SampleName)


@pytest.mark.parametrize("text", ["", "power_milliwatts,", "power", "age_ms,age_ms", "age_ms; health"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_fields(text)
