"""Keys of an analysis as a query names them."""

import pytest

from keisan.domain.archive import AnalysisKey
from keisan.domain.errors import InvalidInput
from keisan.wire.archive import parse_keys


def test_keys_keep_their_order() -> None:
    assert parse_keys("model,day") == [AnalysisKey.MODEL, AnalysisKey.DAY]
    assert parse_keys(",".join(AnalysisKey)) == list(AnalysisKey)


@pytest.mark.parametrize("text", ["", ",", "model,", "modell", "model,model", "MODEL", " model", "model day", "1=1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_keys(text)
    assert refusal.value.field == "by"
