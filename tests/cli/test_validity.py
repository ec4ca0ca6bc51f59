"""Validity as it is typed and told: always in UTC."""

from datetime import UTC, datetime, timedelta, timezone

from keisan.cli.validity import describe_validity, read_instant

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_what_is_typed_is_in_utc() -> None:
    assert read_instant(datetime(2026, 11, 23, 12)) == NOON  # noqa: DTZ001  # as Typer reads it
    assert read_instant(None) is None


def test_validity_is_told_in_utc() -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    assert describe_validity(tokyo, None) == "from 2026-11-23 12:00:00"
    assert describe_validity(NOON, NOON + timedelta(days=1)) == "from 2026-11-23 12:00:00 until 2026-11-24 12:00:00"
