"""The newest incarnation of each gateway, one row each: the platform's own matter."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, ForeignKey, Table, Text, select

from keisan.domain.access import Scope
from keisan.domain.ids import MachineId
from keisan.domain.incarnation import Incarnation
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import Visibility
from keisan.storage.schema import Instant, build_column, build_id, metadata

incarnation = Table(
    "incarnation",
    metadata,
    build_id("gateway_id", ForeignKey("machine.id"), is_primary=True),
    build_column("platform_id", Text()),
    build_id("incarnation"),
    build_column("sequence", BigInteger()),
    build_column("default_share_ppm", BigInteger()),
    build_column("heard_at", Instant()),
)
VISIBILITY = Visibility()


class IncarnationRepository:
    """Incarnations by gateway."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def lock(self, gateway_id: MachineId) -> Incarnation | None:
        """Return a gateway's newest incarnation, locked until commit; None if it never spoke."""
        rows = await self._connection.fetch_locked(select(incarnation).where(incarnation.c.gateway_id == gateway_id))
        return Incarnation(**rows[0]) if rows else None

    async def list_all(self, scope: Scope) -> Sequence[Incarnation]:
        """Return the newest incarnation of every gateway that ever spoke."""
        statement = select(incarnation).where(VISIBILITY.limit(scope)).order_by(incarnation.c.gateway_id)
        return [Incarnation(**row) for row in await self._connection.fetch_all(statement)]

    async def put(self, newest: Incarnation) -> None:
        """Write a gateway's newest incarnation in place of what was."""
        row = {column.name: getattr(newest, column.name) for column in incarnation.columns}
        changed = ("incarnation", "sequence", "default_share_ppm", "heard_at")
        statement = self._connection.upsert(incarnation, lambda excluded: {name: excluded[name] for name in changed})
        await self._connection.change(statement, row)
