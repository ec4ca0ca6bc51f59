"""What every table shares: the metadata with names for all constraints, and the column types.

Each type gives the same value back on both databases and sorts the same way on both.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import JSON, BigInteger, Column, Dialect, MetaData, Numeric, Select, Text, TypeDecorator, Uuid
from sqlalchemy.engine import RowMapping
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from keisan.domain.errors import InvalidInput
from keisan.kit.clock import from_microseconds, to_microseconds

EXACT_DIGITS_MAX = 38
_EXACT_MAX = 10**EXACT_DIGITS_MAX - 1

# Unnamed constraints cannot be dropped by a later migration, so every one has a name.
NAMING = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
metadata = MetaData(naming_convention=NAMING)

# What SQLAlchemy leaves open, named once; every value is given its type where a row becomes a noun.
AnyColumn = Column[Any]
AnyType = TypeEngine[Any]
AnyRow = RowMapping
AnySelect = Select[*tuple[Any, ...]]
Values = Mapping[str, object]

Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant as whole microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


class ExactInteger(TypeDecorator[int]):
    """An integer of up to 38 digits: NUMERIC(38,0) on PostgreSQL, decimal text on SQLite, whose integers end at 2^63."""

    impl = Numeric
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(EXACT_DIGITS_MAX, 0)

    def load_dialect_impl(self, dialect: Dialect) -> AnyType:
        is_text = dialect.name == "sqlite"
        return dialect.type_descriptor(Text() if is_text else Numeric(EXACT_DIGITS_MAX, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | int | None:
        """Return what the driver takes; raises InvalidInput for more than 38 digits."""
        if value is None:
            return None
        if abs(value) > _EXACT_MAX:
            raise InvalidInput(f"an amount has at most {EXACT_DIGITS_MAX} digits")
        return str(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: str | int | None, _dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class EnumText(TypeDecorator[Word], Generic[Word]):
    """A member of a StrEnum as the text that it is; no check constraint, so a new member needs no migration."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[Word]) -> None:
        super().__init__()
        self.words = words

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Word | None:
        return None if value is None else self.words(value)


class Structure(TypeDecorator[Value], Generic[Value]):
    """A value without columns of its own as JSON; `encode` and `decode` go to and from what json knows."""

    impl = JSON
    cache_ok = True

    def __init__(self, encode: Callable[[Value], object], decode: Callable[..., Value]) -> None:
        super().__init__(none_as_null=True)
        self.encode = encode
        self.decode = decode

    def load_dialect_impl(self, dialect: Dialect) -> AnyType:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON(none_as_null=True))
        # Whoever keeps SQLite does without the drivers of PostgreSQL.
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))

    def process_bind_param(self, value: Value | None, _dialect: Dialect) -> object:
        return None if value is None else self.encode(value)

    def process_result_value(self, value: object, _dialect: Dialect) -> Value | None:
        return None if value is None else self.decode(value)


def encode_amounts(amounts: Mapping[str, int]) -> dict[str, str]:
    """Return amounts by currency as JSON keeps them exactly: as decimal texts."""
    return {currency: str(amount_nano) for currency, amount_nano in amounts.items()}


def decode_amounts(stored: Mapping[str, str]) -> dict[str, int]:
    """Return what encode_amounts was given."""
    return {currency: int(text) for currency, text in stored.items()}


def build_id(name: str, *arguments: SchemaItem, is_primary: bool = False, is_nullable: bool = False) -> AnyColumn:
    """Return a column of ids: native uuid on PostgreSQL, 32 hex digits on SQLite; both sort as the 16 bytes do."""
    return Column(name, Uuid(), *arguments, primary_key=is_primary, nullable=is_nullable)


def build_column(name: str, column_type: AnyType, *arguments: SchemaItem, is_nullable: bool = False) -> AnyColumn:
    """Return a column; it is never null unless said so."""
    return Column(name, column_type, *arguments, nullable=is_nullable)


def build_noun_columns() -> tuple[AnyColumn, ...]:
    """Return the columns that every versioned noun has."""
    return (
        build_id("id", is_primary=True),
        build_column("platform_id", Text()),
        build_column("version", BigInteger()),
        build_column("created_at", Instant()),
    )
