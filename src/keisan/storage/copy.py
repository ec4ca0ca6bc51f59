"""Rows on their way past SQLAlchemy: its types turn each column's values into what the driver takes, once per column."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, Table


def bind_columns(dialect: Dialect, table: Table, columns: Mapping[str, Sequence[object]]) -> list[tuple[Any, ...]]:
    """Return the rows that a table's columns make, as the driver takes them, with their values in the columns' order."""
    bound: list[Sequence[object]] = []
    for name, values in columns.items():
        bind = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        bound.append(values if bind is None else list(map(bind, values)))
    return list(zip(*bound, strict=True))
