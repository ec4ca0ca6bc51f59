"""Replicas over HTTP: what the reconcilers and agents made of the deployments."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.domain.ids import DeploymentId, ReplicaId
from keisan.domain.page import PageOf
from keisan.wire.page import Page
from keisan.wire.replica import ReplicaLog, ReplicaQuery, ReplicaView

router = APIRouter(prefix="/replicas", tags=["replicas"])


@router.get("")
async def list_replicas(caller: CallerOf, query: Annotated[ReplicaQuery, Query()]) -> Page[ReplicaView]:
    async with caller.read() as view:
        if query.deployment_id is not None:
            replicas = await view.replicas.list_deployment(caller.scope, DeploymentId(query.deployment_id))
            found = PageOf(tuple(replicas), None)
        else:
            found = await view.replicas.list(caller.scope, read_page(query))
    return build_page(found, ReplicaView.model_validate)


@router.get("/{replica_id}")
async def get_replica(caller: CallerOf, replica_id: UUID, response: Response) -> ReplicaView:
    async with caller.read() as view:
        found = await view.replicas.get(caller.scope, ReplicaId(replica_id))
    return tag_version(response, ReplicaView.model_validate(found))


@router.get("/{replica_id}/log")
async def get_replica_log(caller: CallerOf, replica_id: UUID) -> ReplicaLog:
    async with caller.read() as view:
        log_tail = await view.replicas.get_log_tail(caller.scope, ReplicaId(replica_id))
    return ReplicaLog(replica_id=replica_id, log_tail=log_tail)
