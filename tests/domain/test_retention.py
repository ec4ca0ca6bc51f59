"""Days through a mark."""

from datetime import date, timedelta

from keisan.domain.retention import is_through

DAY = date(2026, 11, 23)


def test_days_through_another_include_it_and_none_is_through_none() -> None:
    assert is_through(DAY, DAY)
    assert is_through(DAY - timedelta(days=1), DAY)
    assert not is_through(DAY + timedelta(days=1), DAY)
    assert not is_through(date.min, None)
