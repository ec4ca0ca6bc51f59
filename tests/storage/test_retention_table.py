"""A comparison of a day survives being stored."""

import json
from datetime import date

from keisan.domain.retention import DayCheck
from keisan.storage.retention_table import decode_check, encode_check


def test_comparison_comes_back_from_json() -> None:
    check = DayCheck(date(2026, 11, 23), ("usage/a", "usage/b"), 1, 2000, 400_000)
    assert decode_check(json.loads(json.dumps(encode_check(check)))) == check
