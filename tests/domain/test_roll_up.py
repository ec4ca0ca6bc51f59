"""The verdict on what has devices."""

import pytest

from keisan.domain.roll_up import judge_group
from keisan.domain.verdict import Verdict


@pytest.mark.parametrize(
    ("ok", "failed", "reporting", "verdict"),
    [
        (0, 0, 0, Verdict.UNKNOWN),
        (5, 0, 5, Verdict.OK),
        (1, 4, 5, Verdict.OK),
        (0, 5, 5, Verdict.FAILED),
        # One of those that report does not tell how it is.
        (0, 4, 5, Verdict.UNKNOWN),
    ],
)
def test_a_group_is_judged_by_those_that_report(ok: int, failed: int, reporting: int, verdict: Verdict) -> None:
    assert judge_group(ok, failed, reporting) is verdict
