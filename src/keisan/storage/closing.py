"""Closings of months: who asked for which, and how far it has come. Only a platform sees them."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Date, Index, Table, Text

from keisan.domain.access import Scope
from keisan.domain.closing import Closing, ClosingState
from keisan.domain.ids import ClosingId
from keisan.domain.statement import CloseOutcome, HolderKind, Period, StatementHolder
from keisan.domain.statement_draft import read_draft, write_draft
from keisan.storage.repository import TableRepository
from keisan.storage.schema import (
    AnyRow,
    EnumText,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)


def encode_counts(counts: Mapping[CloseOutcome, int]) -> dict[str, int]:
    """Return counts by outcome as JSON keeps them."""
    return {str(outcome): count for outcome, count in counts.items()}


def decode_counts(stored: Mapping[str, int]) -> dict[CloseOutcome, int]:
    """Return what encode_counts was given."""
    return {CloseOutcome(word): count for word, count in stored.items()}


def encode_holder(holder: StatementHolder) -> dict[str, str]:
    """Return a holder as JSON keeps it."""
    return {"kind": str(holder.kind), "id": str(holder.id), "currency": holder.currency}


def decode_holder(stored: Mapping[str, str]) -> StatementHolder:
    """Return what encode_holder was given."""
    return StatementHolder(HolderKind(stored["kind"]), UUID(stored["id"]), stored["currency"])


closing = Table(
    "closing",
    metadata,
    *build_noun_columns(),
    build_column("asked_by", Text()),
    build_column("first_day", Date()),
    build_column("last_day", Date()),
    build_id("holder_id", is_nullable=True),
    build_column("state", EnumText(ClosingState)),
    build_column("counts", Structure(encode_counts, decode_counts)),
    build_column("passed", Structure(encode_holder, decode_holder), is_nullable=True),
    build_column("draft", Structure(write_draft, read_draft), is_nullable=True),
    build_column("ended_at", Instant(), is_nullable=True),
    Index(None, "state", "id"),
)
_OWN = tuple(column.name for column in closing.columns if column.name not in {"first_day", "last_day"})


class ClosingRepository(TableRepository[Closing, ClosingId]):
    """Closings by id, and those that are under way."""

    table = closing
    noun_type = Closing

    async def find_next(self, scope: Scope) -> Closing | None:
        """Return the first that was asked for of those under way."""
        is_under_way = closing.c.state == ClosingState.CLOSING
        row = await self._connection.fetch_first(
            self._select(scope).where(is_under_way).order_by(closing.c.id).limit(1)
        )
        return None if row is None else self._to_noun(row)

    async def find_same(self, scope: Scope, wanted: Closing) -> Closing | None:
        """Return one under way that does what is wanted."""
        is_under_way = closing.c.state == ClosingState.CLOSING
        same = (closing.c.first_day == wanted.period.first_day) & closing.c.holder_id.is_not_distinct_from(
            wanted.holder_id
        )
        row = await self._connection.fetch_first(self._select(scope).where(is_under_way, same).limit(1))
        return None if row is None else self._to_noun(row)

    def _to_row(self, noun: Closing) -> dict[str, object]:
        row: dict[str, object] = {name: getattr(noun, name) for name in _OWN}
        return row | {"first_day": noun.period.first_day, "last_day": noun.period.last_day}

    def _to_noun(self, row: AnyRow) -> Closing:
        return Closing(period=Period(row["first_day"], row["last_day"]), **{name: row[name] for name in _OWN})
