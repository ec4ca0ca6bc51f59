"""Columns of roll-ups: each field of a sample has some, and each is whole."""

from keisan.domain.history_column import NULLABLE, ROLL_UP_COLUMNS, STATISTICS, WIDE, Statistic
from keisan.domain.sample import SampleName


def test_every_field_has_columns_of_its_own() -> None:
    assert set(STATISTICS) == set(SampleName)
    assert {each.field for each in ROLL_UP_COLUMNS} == set(SampleName)
    assert {"power_milliwatts_sum", "energy_kilojoules_growth", "health_failed_count", "throttle_flags_any"} <= {
        each.name for each in ROLL_UP_COLUMNS
    }


def test_a_sum_is_wide_and_never_missing() -> None:
    assert {Statistic.SUM, Statistic.GROWTH} == WIDE
    assert not NULLABLE & WIDE
