"""The table of how far the deletion of usage records has come: one row, or none before the first."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import CheckConstraint, Date, PrimaryKeyConstraint, SmallInteger, Table, Text

from keisan.domain.retention import DayCheck
from keisan.storage.schema import Instant, Structure, build_column, metadata


def encode_check(check: DayCheck) -> dict[str, object]:
    """Return a comparison as JSON keeps it."""
    return {
        "day": check.day.isoformat(),
        "names": list(check.names),
        "file_place": check.file_place,
        "row_place": check.row_place,
        "record_count": check.record_count,
    }


def decode_check(stored: Mapping[str, object]) -> DayCheck:
    """Return what encode_check was given."""
    names, places = stored["names"], ("file_place", "row_place", "record_count")
    assert isinstance(names, list)
    counts = {name: int(str(stored[name])) for name in places}
    return DayCheck(date.fromisoformat(str(stored["day"])), tuple(str(name) for name in names), **counts)


retention = Table(
    "retention",
    metadata,
    # Always 1: there is one.
    build_column("position", SmallInteger()),
    build_column("closed_through", Date(), is_nullable=True),
    # Triggers let rows of days through this one be deleted, and no others.
    build_column("archived_through", Date(), is_nullable=True),
    build_column("archived_at", Instant(), is_nullable=True),
    build_column("deleted_through", Date(), is_nullable=True),
    build_column("check", Structure(encode_check, decode_check), is_nullable=True),
    build_column("fault", Text()),
    PrimaryKeyConstraint("position"),
    CheckConstraint("position = 1", "one_retention"),
)
