"""The day of a record follows from its id."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.ids import RecordId
from keisan.domain.usage import find_day
from tests.domain.samples import create_record_id


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001  # bounds are naive
def test_day_is_that_of_the_moment_the_id_was_made_of(instant: datetime) -> None:
    assert find_day(create_record_id(instant)) == instant.date()


def test_days_change_at_midnight() -> None:
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    assert find_day(create_record_id(midnight)) == midnight.date()
    before = midnight - timedelta(milliseconds=1)
    assert find_day(create_record_id(before)) == before.date()


@given(st.integers(0, 2**40 - 1), st.sampled_from([0, 4, 7, 15]), st.integers(0, 2**12 - 1), st.integers(0, 2**64 - 1))
def test_only_ids_of_version_7_have_a_day(milliseconds: int, version: int, middle: int, low: int) -> None:
    made = UUID(int=milliseconds << 80 | version << 76 | middle << 64 | low)
    assert (find_day(RecordId(made)) is not None) == (made.version == 7)


def test_other_ids_have_no_day() -> None:
    assert find_day(RecordId(uuid4())) is None
    assert find_day(RecordId(UUID(int=(2**48 - 1) << 80 | 7 << 76))) is None
