"""Deployments: a provider sees those placed on its sites, organizations see none."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Table, Text, or_, select, update

from keisan.domain.access import Scope
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.ids import DeploymentId
from keisan.storage.replica import replica
from keisan.storage.repository import Condition, TableRepository, Visibility
from keisan.storage.schema import EnumText, build_column, build_id, build_noun_columns, metadata
from keisan.storage.site import limit_to_sites

deployment = Table(
    "deployment",
    metadata,
    *build_noun_columns(),
    build_id("model_id", ForeignKey("model.id")),
    build_column("engine", Text()),
    build_column("replica_count", BigInteger()),
    build_column("slots", BigInteger()),
    build_id("site_id", ForeignKey("site.id"), is_nullable=True),
    build_column("state", EnumText(DeploymentState)),
    build_column("reason", Text()),
    build_column("fence", BigInteger()),
    build_id("grant_id", ForeignKey("capacity_grant.id"), is_nullable=True),
    Index(None, "model_id"),
)


def limit_to_placed(provider_id: UUID) -> Condition:
    """Return the condition of a provider: its site is named, or a replica was placed there."""
    placed = select(replica.c.deployment_id).where(replica.c.provider_id == provider_id)
    return or_(limit_to_sites(deployment.c.site_id)(provider_id), deployment.c.id.in_(placed))


class DeploymentRepository(TableRepository[Deployment, DeploymentId]):
    """Deployments by id."""

    table = deployment
    noun_type = Deployment
    visibility = Visibility(provider=limit_to_placed)
    unwritten = frozenset({"fence"})

    async def list_by_ids(self, scope: Scope, ids: Iterable[DeploymentId]) -> Sequence[Deployment]:
        """Return the deployments with these ids, whatever their state."""
        return await self._list_ids(scope, ids)

    async def raise_fence(self, deployment_id: DeploymentId, leap: int) -> None:
        """Raise the fence by a leap; the row's version stays."""
        statement = update(deployment).where(deployment.c.id == deployment_id).values(fence=deployment.c.fence + leap)
        await self._connection.change(statement)
