"""Rows that go past SQLAlchemy are bound as it would bind them, column by column."""

from sqlalchemy.dialects import postgresql, sqlite

from keisan.storage.copy import bind_columns
from keisan.storage.schema import EXACT_DIGITS_MAX
from keisan.storage.usage_table import usage_context, usage_record
from tests.domain.samples import NOW, name_id


def test_values_are_bound_by_the_types_of_their_columns() -> None:
    names = ("amount_nano", "id", "day", "admitted_at", "first_byte_us")
    row = (10**EXACT_DIGITS_MAX - 1, name_id(1), NOW.date(), NOW, None)
    for dialect in (postgresql.dialect(), sqlite.dialect()):  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        (bound,) = bind_columns(dialect, usage_record, {name: [value] for name, value in zip(names, row, strict=True)})
        for name, value, own in zip(names, row, bound, strict=True):
            bind = usage_record.c[name].type.dialect_impl(dialect).bind_processor(dialect)
            assert own == (value if bind is None else bind(value)), name


def test_order_of_rows_and_values_is_kept() -> None:
    rows = [(f"digest {number}", f"chip {number}") for number in range(5)]
    columns = dict(zip(("model_digest", "chip"), zip(*rows, strict=True), strict=True))
    assert bind_columns(sqlite.dialect(), usage_context, columns) == rows
