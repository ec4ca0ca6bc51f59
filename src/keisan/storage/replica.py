"""Replicas and the tails of their logs: a provider sees those on its sites, organizations see none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import BigInteger, ForeignKey, Index, Table, Text, select, update

from keisan.domain.access import Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import DeploymentId, ReplicaId, SiteId
from keisan.domain.replica import Endpoint, Replica, ReplicaState
from keisan.domain.verdict import Verdict
from keisan.storage.repository import TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import (
    AnyColumn,
    EnumText,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)


def decode_endpoint(stored: Mapping[str, str]) -> Endpoint:
    """Return a stored endpoint."""
    return Endpoint(**stored)


replica = Table(
    "replica",
    metadata,
    *build_noun_columns(),
    build_id("deployment_id", ForeignKey("deployment.id")),
    build_id("model_id", ForeignKey("model.id")),
    build_id("provider_id", ForeignKey("provider.id")),
    build_id("site_id", ForeignKey("site.id")),
    build_id("node_id", ForeignKey("node.id")),
    build_id("device_id", ForeignKey("device.id"), is_nullable=True),
    build_column("engine", Text()),
    build_column("chip", Text()),
    build_column("slots", BigInteger()),
    build_column("state", EnumText(ReplicaState)),
    build_column("verdict", EnumText(Verdict)),
    build_column("endpoint", Structure(asdict, decode_endpoint), is_nullable=True),
    build_column("model_digest", Text()),
    build_column("restart_count", BigInteger()),
    build_column("message", Text()),
    build_column("reported_at", Instant(), is_nullable=True),
    build_column("log_tail", Text()),
    Index(None, "deployment_id"),
    Index(None, "site_id"),
    Index(None, "provider_id"),
)
IS_ALIVE = replica.c.state != ReplicaState.STOPPED


class ReplicaRepository(TableRepository[Replica, ReplicaId]):
    """Replicas by id, by deployment and by site."""

    table = replica
    noun_type = Replica
    visibility = Visibility(provider=limit_to_owner(replica.c.provider_id))

    def _columns(self) -> Sequence[AnyColumn]:
        return tuple(column for column in replica.columns if column.name != "log_tail")

    async def insert(self, noun: Replica) -> None:
        """Insert the replica with an empty log; raises AlreadyExists when its id is taken."""
        await self._insert(self._to_row(noun) | {"log_tail": ""})

    async def list_deployment(self, scope: Scope, deployment_id: DeploymentId) -> Sequence[Replica]:
        """Return the deployment's replicas that are not stopped."""
        return await self._list_where(scope, replica.c.deployment_id == deployment_id, IS_ALIVE)

    async def list_site(self, scope: Scope, site_id: SiteId) -> Sequence[Replica]:
        """Return the site's replicas that are not stopped."""
        return await self._list_where(scope, replica.c.site_id == site_id, IS_ALIVE)

    async def list_by_ids(self, scope: Scope, ids: Iterable[ReplicaId] | None) -> Sequence[Replica]:
        """Return the replicas with these ids, or all that are not stopped for None."""
        return await (self._list_where(scope, IS_ALIVE) if ids is None else self._list_ids(scope, ids))

    async def get_log_tail(self, scope: Scope, replica_id: ReplicaId) -> str:
        """Return the end of the replica's log; raises NotFound, also for what lies outside the scope."""
        is_visible = self.visibility.limit(scope)
        row = await self._connection.fetch_first(
            select(replica.c.log_tail).where(replica.c.id == replica_id, is_visible)
        )
        if row is None:
            raise NotFound(f"there is no replica {replica_id}")
        return str(row["log_tail"])

    async def set_log_tail(self, replica_id: ReplicaId, log_tail: str) -> None:
        """Replace the end of the replica's log; the row's version stays."""
        statement = update(replica).where(replica.c.id == replica_id).values(log_tail=log_tail)
        await self._connection.change(statement)
