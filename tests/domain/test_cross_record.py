"""Records of calls across platforms: their period is that of the moment in their id, and each end has one to tell."""

import pytest

from keisan.domain.cross_record import RecordEnd, find_admission_ms, find_period_end_ms, name_settlement
from tests.domain.samples import NOW, create_record_id
from tests.federation.cross_samples import HOME, PERIOD, SERVING, create_usage


def test_a_record_s_period_is_the_day_in_its_id() -> None:
    admitted_at_ms = find_admission_ms(create_record_id(NOW))
    assert name_settlement(admitted_at_ms) == PERIOD
    ends_ms = find_period_end_ms(PERIOD)
    assert (name_settlement(ends_ms - 1), name_settlement(ends_ms)) == (PERIOD, "2026-11-24")
    with pytest.raises(ValueError, match="day"):
        find_period_end_ms("2026-02-30")


def test_each_end_has_an_author_and_an_audience() -> None:
    usage = create_usage()
    assert (usage.author, usage.audience) == (SERVING, HOME)
    told = create_usage(RecordEnd.HOME)
    assert (told.author, told.audience) == (HOME, SERVING)
