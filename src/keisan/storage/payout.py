"""Payouts: a provider sees its own; one for a statement, written once and never changed."""

from sqlalchemy import ForeignKey, Table, Text, UniqueConstraint

from keisan.domain.access import Scope
from keisan.domain.ids import PayoutId, StatementId
from keisan.domain.payout import Payout
from keisan.storage.repository import FixedRepository, Visibility, limit_to_owner
from keisan.storage.schema import ExactInteger, Instant, build_column, build_id, metadata

payout = Table(
    "payout",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_id("statement_id", ForeignKey("statement.id")),
    build_id("provider_id", ForeignKey("provider.id")),
    build_column("currency", Text()),
    build_column("amount_nano", ExactInteger()),
    build_column("note", Text()),
    build_id("entry_id"),
    build_column("created_at", Instant()),
    UniqueConstraint("statement_id"),
)


class PayoutRepository(FixedRepository[Payout, PayoutId]):
    """Payouts by id and by statement."""

    table = payout
    noun_type = Payout
    unique = "statement"
    visibility = Visibility(provider=limit_to_owner(payout.c.provider_id))

    async def find(self, scope: Scope, statement_id: StatementId) -> Payout | None:
        """Return the payout of a statement."""
        return await self._find(scope, payout.c.statement_id == statement_id)
