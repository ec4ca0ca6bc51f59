"""Column types give back what went in, on both databases, at their limits."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from keisan.domain.errors import InvalidInput
from keisan.domain.verdict import Verdict
from keisan.storage.schema import EnumText, ExactInteger, Instant, Structure, metadata

SQLITE, POSTGRESQL = sqlite.dialect(), postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
DIALECTS = [pytest.param(SQLITE, id="sqlite"), pytest.param(POSTGRESQL, id="postgresql")]


@pytest.mark.parametrize(
    "instant",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 23, 12, 0, 0, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 11, 23, 21, 0, tzinfo=timezone(timedelta(hours=9))),
    ],
)
def test_instant_is_exact_and_in_utc(instant: datetime) -> None:
    stored = Instant().process_bind_param(instant, SQLITE)
    read = Instant().process_result_value(stored, SQLITE)
    assert isinstance(stored, int)
    assert read == instant
    assert read is not None
    assert read.tzinfo is UTC


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("value", [0, 1, -1, 2**63, 10**38 - 1, -(10**38 - 1)])
def test_integer_is_exact_to_38_digits(dialect: object, value: int) -> None:
    stored = ExactInteger().process_bind_param(value, dialect)  # type: ignore[arg-type]  # either dialect
    assert isinstance(stored, str if dialect is SQLITE else int)
    assert ExactInteger().process_result_value(stored, SQLITE) == value


@pytest.mark.parametrize("value", [10**38, -(10**38)])
def test_integer_ends_at_38_digits(value: int) -> None:
    with pytest.raises(InvalidInput):
        ExactInteger().process_bind_param(value, SQLITE)


def test_word_comes_back_as_its_member() -> None:
    assert EnumText(Verdict).process_result_value("ok", SQLITE) is Verdict.OK
    with pytest.raises(ValueError, match="nonsense"):
        EnumText(Verdict).process_result_value("nonsense", SQLITE)


@pytest.mark.parametrize("column_type", [Instant(), ExactInteger(), EnumText(Verdict), Structure(list, tuple)])
def test_nothing_stays_nothing(column_type: Instant) -> None:
    bind = column_type.bind_processor(SQLITE)
    assert bind is None or bind(None) is None
    assert column_type.process_result_value(None, SQLITE) is None


def test_structure_is_encoded_and_decoded() -> None:
    pair = Structure(list, tuple)
    assert pair.process_bind_param(("a", "b"), SQLITE) == ["a", "b"]
    assert pair.process_result_value(["a", "b"], SQLITE) == ("a", "b")


def test_types_are_those_of_each_database() -> None:
    names = {
        (Instant, "sqlite"): "BIGINT",
        (Instant, "postgresql"): "BIGINT",
        (ExactInteger, "sqlite"): "TEXT",
        (ExactInteger, "postgresql"): "NUMERIC(38, 0)",
    }
    for (column_type, dialect_name), expected in names.items():
        dialect = SQLITE if dialect_name == "sqlite" else POSTGRESQL
        assert column_type().compile(dialect) == expected
    assert Structure(list, tuple).compile(POSTGRESQL) == "JSONB"


def test_every_noun_that_may_leave_says_whose_it_is() -> None:
    own = {"platform", "head", "lease", "outbox", "posting", "snapshot_change", "stored_answer", "quarantined_record"}
    # A usage record's context says it.
    own |= {"usage_record"}
    # Where files lie is nobody else's matter; a step is its budget's.
    own |= {"archive", "archive_file", "budget_step", "retention"}
    # Letters say who wrote them; which are kept, and how far, is a link's matter.
    own |= {"outgoing_log", "outgoing_letter", "incoming_log", "incoming_letter", "register", "refused_letter"}
    # The author is a platform, and what was signed names it.
    own |= {"cross_record", "cross_batch", "hourly_total"}
    # Since when another platform, its reporter, has told of a site: it does not leave.
    own |= {"site_report"}
    for name, table in metadata.tables.items():
        assert ("platform_id" in table.c) == (name not in own), name
