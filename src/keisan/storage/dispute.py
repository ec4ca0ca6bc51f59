"""Disputes: a holder sees its own."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Table, Text, select

from keisan.domain.access import Scope
from keisan.domain.dispute import Dispute, DisputeState
from keisan.domain.ids import DisputeId, RecordId, StatementId
from keisan.domain.statement import Adjustment, HolderKind, StatementHolder, StatementSpan
from keisan.storage.repository import TableRepository
from keisan.storage.schema import (
    AnyRow,
    EnumText,
    ExactInteger,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)
from keisan.storage.statement import HOLDER_COLUMNS, build_visibility, match_holder, read_holder, write_holder


def encode_ids(record_ids: Sequence[RecordId]) -> list[str]:
    """Return ids as texts."""
    return [str(record_id) for record_id in record_ids]


def decode_ids(stored: Sequence[str]) -> tuple[RecordId, ...]:
    """Return what encode_ids was given."""
    return tuple(RecordId(UUID(text)) for text in stored)


dispute = Table(
    "dispute",
    metadata,
    *build_noun_columns(),
    build_id("statement_id", ForeignKey("statement.id")),
    build_column("holder_kind", EnumText(HolderKind)),
    build_id("holder_id"),
    build_column("currency", Text()),
    build_column("reason", Text()),
    build_column("record_ids", Structure(encode_ids, decode_ids)),
    build_column("state", EnumText(DisputeState)),
    build_column("resolution", Text()),
    build_column("amount_nano", ExactInteger(), is_nullable=True),
    build_id("entry_id", is_nullable=True),
    build_column("entry_sequence", BigInteger(), is_nullable=True),
    build_column("resolved_at", Instant(), is_nullable=True),
    Index(None, "statement_id"),
    Index(None, "holder_id", "entry_sequence"),
)


class DisputeRepository(TableRepository[Dispute, DisputeId]):
    """Disputes by id, by statement and by holder."""

    table = dispute
    noun_type = Dispute
    visibility = build_visibility(dispute)

    async def list_statement(self, scope: Scope, statement_id: StatementId) -> Sequence[Dispute]:
        """Return all disputes of a statement."""
        return await self._list_where(scope, dispute.c.statement_id == statement_id)

    async def has_open(self, scope: Scope, holder: StatementHolder) -> bool:
        """Tell whether a dispute of the holder is open."""
        is_open = match_holder(dispute, holder) & (dispute.c.state == DisputeState.OPEN)
        return await self._find(scope, is_open) is not None

    async def list_adjustments(self, scope: Scope, span: StatementSpan) -> Sequence[Adjustment]:
        """Return what disputes of the holder moved after a span's `after_sequence`, up to its `until_sequence`."""
        wanted = select(
            dispute.c.id.label("dispute_id"),
            *(dispute.c[name] for name in ("statement_id", "amount_nano", "resolution", "resolved_at")),
        ).where(
            self.visibility.limit(scope),
            match_holder(dispute, span.holder),
            dispute.c.entry_sequence > (span.after_sequence or 0),
            dispute.c.entry_sequence <= span.until_sequence,
        )
        rows = await self._connection.fetch_all(wanted.order_by(dispute.c.entry_sequence))
        return [Adjustment(**row) for row in rows]

    def _to_row(self, noun: Dispute) -> dict[str, object]:
        own = {name: getattr(noun, name) for name in dispute.columns.keys() if name not in HOLDER_COLUMNS}  # noqa: SIM118  # no dict
        return own | write_holder(noun.holder)

    def _to_noun(self, row: AnyRow) -> Dispute:
        own = {name: value for name, value in row.items() if name not in HOLDER_COLUMNS}
        return Dispute(holder=read_holder(row), **own)
