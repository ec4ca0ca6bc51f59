"""Top-ups and credit notes: an organization sees its own."""

from sqlalchemy import ForeignKey, Index, Table, Text

from keisan.domain.access import Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import EntryId
from keisan.domain.top_up import TopUp, TopUpKind, TopUpState
from keisan.storage.repository import TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import EnumText, ExactInteger, Instant, build_column, build_id, build_noun_columns, metadata

top_up = Table(
    "top_up",
    metadata,
    *build_noun_columns(),
    build_id("organization_id", ForeignKey("organization.id")),
    build_column("kind", EnumText(TopUpKind)),
    build_column("currency", Text()),
    build_column("amount_nano", ExactInteger()),
    build_column("note", Text()),
    # No foreign keys: records are partitioned by day.
    build_id("record_id", is_nullable=True),
    build_id("statement_id", is_nullable=True),
    build_column("state", EnumText(TopUpState)),
    build_id("proposed_by", ForeignKey("key.id")),
    build_id("decided_by", ForeignKey("key.id"), is_nullable=True),
    build_column("decided_at", Instant(), is_nullable=True),
    build_column("expires_at", Instant(), is_nullable=True),
    build_column("balance_nano", ExactInteger(), is_nullable=True),
    Index(None, "organization_id", "id"),
)


class TopUpRepository(TableRepository[TopUp, EntryId]):
    """Top-ups by id."""

    table = top_up
    noun_type = TopUp
    visibility = Visibility(organization=limit_to_owner(top_up.c.organization_id))

    async def lock(self, scope: Scope, top_up_id: EntryId) -> TopUp:
        """Return the top-up, locked until commit; raises NotFound as get does."""
        rows = await self._connection.fetch_locked(self._select(scope).where(top_up.c.id == top_up_id))
        if not rows:
            raise NotFound(f"there is no top up {top_up_id}")
        return self._to_noun(rows[0])
