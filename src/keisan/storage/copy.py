"""Rows on their way past SQLAlchemy: its types turn each column's values into what the driver takes, once per column."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect, Table


def bind_rows(
    dialect: Dialect, table: Table, names: Sequence[str], rows: Sequence[Sequence[object]]
) -> list[tuple[Any, ...]]:
    """Return the rows as the driver takes them; `rows` hold the values of the columns `names`, in that order."""
    columns = list(zip(*rows, strict=True))
    for position, name in enumerate(names):
        bind = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        if bind is not None:
            columns[position] = tuple(map(bind, columns[position]))
    return list(zip(*columns, strict=True))
