"""Named limits: every integer has its unit's place, and those that depend on each other agree."""

from keisan.domain import limits
from keisan.wire.usage_record import USAGE_RECORD_BYTES_MAX


def test_every_limit_is_positive() -> None:
    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert values
    least = {name: min(value) if isinstance(value, tuple) else value for name, value in values.items()}
    assert [name for name, value in least.items() if value <= 0] == []


def test_largest_usage_batch_fits_the_largest_body() -> None:
    # Each record has a line end behind it.
    assert limits.USAGE_BATCH_RECORDS_MAX * (USAGE_RECORD_BYTES_MAX + 1) < limits.API_BODY_BYTES_MAX
