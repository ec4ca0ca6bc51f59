"""Closed statements: a holder sees its own; written once and never changed."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, Date, Index, LargeBinary, Table, Text, UniqueConstraint, select

from keisan.domain.access import Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import StatementId
from keisan.domain.statement import Balances, HolderKind, Period, Statement, StatementHolder, StatementState, Totals
from keisan.storage.repository import Condition, FixedRepository, Limit, Visibility
from keisan.storage.schema import (
    AnyColumn,
    AnyRow,
    EnumText,
    ExactInteger,
    Instant,
    build_column,
    build_id,
    metadata,
)

statement = Table(
    "statement",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_column("holder_kind", EnumText(HolderKind)),
    build_id("holder_id"),
    build_column("currency", Text()),
    build_column("first_day", Date()),
    build_column("last_day", Date()),
    build_column("state", EnumText(StatementState)),
    build_column("record_count", BigInteger()),
    build_column("amount_nano", ExactInteger()),
    build_column("tax_nano", ExactInteger()),
    build_column("adjustment_nano", ExactInteger()),
    build_column("opening_nano", ExactInteger()),
    build_column("closing_nano", ExactInteger()),
    build_column("after_sequence", BigInteger(), is_nullable=True),
    build_column("entry_sequence", BigInteger()),
    build_column("records_root", Text()),
    # As bytes: what was signed is handed on exactly as it was.
    build_column("document", LargeBinary()),
    build_column("document_sha256", Text()),
    build_column("signature", LargeBinary()),
    build_column("closed_at", Instant()),
    UniqueConstraint("holder_kind", "holder_id", "currency", "first_day"),
    Index(None, "holder_id", "id"),
)

HOLDER_COLUMNS = ("holder_kind", "holder_id", "currency")
_TOTALS = ("record_count", "amount_nano", "tax_nano", "adjustment_nano")
_OWN = (
    "id",
    "platform_id",
    "state",
    "after_sequence",
    "entry_sequence",
    "records_root",
    "document",
    "document_sha256",
    "signature",
    "closed_at",
)


def limit_to_holder(kind_column: AnyColumn, id_column: AnyColumn, kind: HolderKind) -> Limit:
    """Return the limit of those who see the rows that they are the holder of."""

    def limit(owner_id: UUID) -> Condition:
        return (kind_column == kind) & (id_column == owner_id)

    return limit


def build_visibility(table: Table) -> Visibility:
    """Return who sees the rows of a table with the columns of a holder."""
    kind_column, id_column = table.c.holder_kind, table.c.holder_id
    return Visibility(
        organization=limit_to_holder(kind_column, id_column, HolderKind.CUSTOMER),
        provider=limit_to_holder(kind_column, id_column, HolderKind.PROVIDER),
    )


def match_holder(table: Table, holder: StatementHolder) -> Condition:
    """Return the condition of a holder's rows."""
    own = (table.c.holder_kind == holder.kind) & (table.c.holder_id == holder.id)
    return own & (table.c.currency == holder.currency)


def write_holder(holder: StatementHolder) -> dict[str, object]:
    """Return the columns of a holder."""
    return {"holder_kind": holder.kind, "holder_id": holder.id, "currency": holder.currency}


def read_holder(row: AnyRow) -> StatementHolder:
    """Return the holder of a row."""
    return StatementHolder(row["holder_kind"], row["holder_id"], row["currency"])


class StatementRepository(FixedRepository[Statement, StatementId]):
    """Statements by id and by holder."""

    table = statement
    noun_type = Statement
    unique = "holder and period"
    visibility = build_visibility(statement)

    async def lock(self, scope: Scope, statement_id: StatementId) -> Statement:
        """Return the statement, locked until commit; raises NotFound as get does."""
        rows = await self._connection.fetch_locked(self._select(scope).where(statement.c.id == statement_id))
        if not rows:
            raise NotFound(f"there is no statement {statement_id}")
        return self._to_noun(rows[0])

    async def find(self, scope: Scope, holder: StatementHolder, period: Period) -> Statement | None:
        """Return the holder's statement of a period."""
        return await self._find(scope, match_holder(statement, holder), statement.c.first_day == period.first_day)

    async def find_last(self, scope: Scope, holder: StatementHolder, before: date | None = None) -> Statement | None:
        """Return the holder's statement of the latest period, of those that begin before a day if one is named."""
        wanted = select(*statement.columns).where(self.visibility.limit(scope), match_holder(statement, holder))
        if before is not None:
            wanted = wanted.where(statement.c.first_day < before)
        row = await self._connection.fetch_first(wanted.order_by(statement.c.first_day.desc()).limit(1))
        return None if row is None else self._to_noun(row)

    async def find_holding(self, scope: Scope, holder: StatementHolder, day: date, sequence: int) -> Statement | None:
        """Return the holder's first statement that reaches to a day and to an entry."""
        reaches = (statement.c.last_day >= day) & (statement.c.entry_sequence >= sequence)
        wanted = select(*statement.columns).where(
            self.visibility.limit(scope), match_holder(statement, holder), reaches
        )
        row = await self._connection.fetch_first(wanted.order_by(statement.c.first_day).limit(1))
        return None if row is None else self._to_noun(row)

    def _to_row(self, noun: Statement) -> dict[str, object]:
        row: dict[str, object] = {name: getattr(noun, name) for name in _OWN}
        row |= write_holder(noun.holder) | {name: getattr(noun.totals, name) for name in _TOTALS}
        row |= {"first_day": noun.period.first_day, "last_day": noun.period.last_day}
        return row | {"opening_nano": noun.balances.opening_nano, "closing_nano": noun.balances.closing_nano}

    def _to_noun(self, row: AnyRow) -> Statement:
        return Statement(
            holder=read_holder(row),
            period=Period(row["first_day"], row["last_day"]),
            totals=Totals(**{name: row[name] for name in _TOTALS}),
            balances=Balances(row["opening_nano"], row["closing_nano"]),
            **{name: row[name] for name in _OWN},
        )
