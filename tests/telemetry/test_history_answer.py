"""What an answer says of itself."""

import pyarrow as pa
import pytest

from keisan.domain.history import HOUR_MS, Tier
from keisan.domain.history_question import HistoryPlan
from keisan.telemetry.history_answer import HistoryAnswer

PLAN = HistoryPlan(Tier.HOUR, HOUR_MS, 0, HOUR_MS)


@pytest.mark.parametrize(
    ("device_count", "covered_ms", "permille"),
    [(2, HOUR_MS, 500), (1, HOUR_MS + 10_000, 1000), (0, 0, None), (2, None, None), (3, 0, 0)],
)
def test_coverage_is_the_share_of_time_that_was_reported(
    device_count: int, covered_ms: int | None, permille: int | None
) -> None:
    answer = HistoryAnswer(PLAN, pa.table({}), device_count, HOUR_MS, covered_ms, None, HOUR_MS)
    assert answer.coverage_permille == permille
    assert answer.age_ms is None


def test_a_sample_of_a_clock_that_is_ahead_has_no_negative_age() -> None:
    answer = HistoryAnswer(PLAN, pa.table({}), 1, HOUR_MS, 0, HOUR_MS + 5, HOUR_MS)
    assert answer.age_ms == 0
