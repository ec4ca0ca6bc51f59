"""Shares of rate limits: the platform's own matter. Whoever changes one holds the lock on all of them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, Table, Text, bindparam, delete, select

from keisan.domain.access import Scope
from keisan.domain.ids import MachineId
from keisan.domain.share import Share
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import PARAMETERS_PER_STATEMENT_MAX, Visibility, split_chunks
from keisan.storage.schema import build_column, build_id, metadata

share = Table(
    "share",
    metadata,
    build_column("limit_id", Text()),
    build_id("gateway_id"),
    build_column("platform_id", Text()),
    build_column("share_ppm", BigInteger()),
    build_column("demand_per_minute", BigInteger()),
    PrimaryKeyConstraint("limit_id", "gateway_id"),
    Index(None, "gateway_id"),
)
VISIBILITY = Visibility()


class ShareRepository:
    """Shares by limit and by gateway."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        """Let no other transaction that takes this lock go on until this one ends."""
        await self._connection.lock_shares()

    async def list_limits(self, scope: Scope, limit_ids: Iterable[str]) -> Sequence[Share]:
        """Return all gateways' shares of these limits."""
        found: list[Share] = []
        for chunk in split_chunks(sorted(set(limit_ids)), PARAMETERS_PER_STATEMENT_MAX):
            statement = select(share).where(VISIBILITY.limit(scope), share.c.limit_id.in_(chunk))
            found += [Share(**row) for row in await self._connection.fetch_all(statement)]
        return found

    async def list_gateway(self, scope: Scope, gateway_id: MachineId) -> Sequence[Share]:
        """Return a gateway's shares of all limits."""
        statement = select(share).where(VISIBILITY.limit(scope), share.c.gateway_id == gateway_id)
        return [Share(**row) for row in await self._connection.fetch_all(statement)]

    async def put_many(self, shares: Sequence[Share]) -> None:
        """Write shares in place of those of the same limit and gateway."""
        if not shares:
            return
        rows = [{column.name: getattr(each, column.name) for column in share.columns} for each in shares]
        changed = ("share_ppm", "demand_per_minute")
        statement = self._connection.upsert(share, lambda excluded: {name: excluded[name] for name in changed})
        await self._connection.change(statement, rows)

    async def delete_many(self, shares: Sequence[Share]) -> None:
        """Delete the shares of these limits and gateways."""
        if not shares:
            return
        is_named = (share.c.limit_id == bindparam("named_limit")) & (share.c.gateway_id == bindparam("named_gateway"))
        rows = [{"named_limit": each.limit_id, "named_gateway": each.gateway_id} for each in shares]
        await self._connection.change(delete(share).where(is_named), rows)
