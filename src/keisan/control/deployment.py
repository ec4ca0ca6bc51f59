"""Commands on deployments: create, scale, delete. They write desired state; the reconciler turns it into replicas."""

from dataclasses import replace
from datetime import datetime

from keisan.control.context import Control, check_version, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import DeploymentId, ModelId, SiteId
from keisan.domain.lease import WorkNoun
from keisan.domain.model import Model
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.deployment import DeploymentCreate, DeploymentUpdate


async def create_deployment(control: Control, principal: Principal, body: DeploymentCreate) -> Deployment:
    """Create desired state.

    Raises PermissionDenied, NotFound without such a model or site, InvalidInput when the model does not run on the
    engine.
    """
    principal.require(Right.WRITE_DEPLOYMENTS)
    async with control.storage.write() as transaction:
        model = await transaction.models.get(principal.scope, ModelId(body.model_id))
        if body.site_id is not None:
            await transaction.sites.get(principal.scope, SiteId(body.site_id))
        deployment = build_deployment(control, model, body)
        await insert_deployment(transaction, name_actor(principal), deployment)
    return deployment


async def scale_deployment(
    control: Control,
    principal: Principal,
    deployment_id: DeploymentId,
    expected_version: int,
    body: DeploymentUpdate,
) -> Deployment:
    """Change how many copies are wanted; raises PermissionDenied, NotFound, VersionMismatch, or StateConflict when it is being deleted."""
    principal.require(Right.WRITE_DEPLOYMENTS)
    async with control.storage.write() as transaction:
        stored = await _get_for_update(transaction, principal, deployment_id, expected_version)
        scaled = replace(stored, replica_count=body.replica_count, version=stored.version + 1)
        detail = {"replica_count": str(scaled.replica_count), "previous_replica_count": str(stored.replica_count)}
        draft = EventDraft(name_actor(principal), "deployment.scaled", deployment_id, detail)
        await _update(transaction, scaled, draft, control.clock.now())
    return scaled


async def delete_deployment(
    control: Control, principal: Principal, deployment_id: DeploymentId, expected_version: int
) -> Deployment:
    """Begin to delete: it is gone once its last replica has stopped.

    Raises PermissionDenied, NotFound, VersionMismatch, or StateConflict when its deletion has begun before.
    """
    principal.require(Right.WRITE_DEPLOYMENTS)
    async with control.storage.write() as transaction:
        stored = await _get_for_update(transaction, principal, deployment_id, expected_version)
        deleting = replace(stored, state=DeploymentState.DELETING, version=stored.version + 1)
        draft = EventDraft(name_actor(principal), "deployment.deleting", deployment_id, {})
        await _update(transaction, deleting, draft, control.clock.now())
    return deleting


def build_deployment(control: Control, model: Model, body: DeploymentCreate) -> Deployment:
    """Return a new deployment that is not stored yet; raises InvalidInput when the model does not run on the engine."""
    if body.engine not in model.facts.engines:
        engines = ", ".join(model.facts.engines)
        raise InvalidInput(f"model '{model.facts.name}' runs on {engines}, not on {body.engine}", "engine")
    return Deployment(
        id=DeploymentId(create_id()),
        platform_id=control.platform_id,
        model_id=model.id,
        engine=body.engine,
        replica_count=body.replica_count,
        slots=body.slots,
        site_id=SiteId(body.site_id) if body.site_id is not None else None,
        state=DeploymentState.ACTIVE,
        reason="",
        version=1,
        created_at=control.clock.now(),
    )


async def insert_deployment(transaction: Transaction, actor: str, deployment: Deployment) -> None:
    """Write a deployment, its event, and the work that follows from it."""
    await transaction.deployments.insert(deployment)
    detail = {
        "model_id": str(deployment.model_id),
        "engine": deployment.engine,
        "replica_count": str(deployment.replica_count),
    }
    await transaction.events.append(EventDraft(actor, "deployment.created", deployment.id, detail))
    await transaction.outbox.put(WorkNoun.DEPLOYMENT, deployment.id, deployment.created_at)


async def _get_for_update(
    transaction: Transaction, principal: Principal, deployment_id: DeploymentId, expected_version: int
) -> Deployment:
    stored = await transaction.deployments.get(principal.scope, deployment_id)
    check_version(stored.version, expected_version)
    if stored.state is not DeploymentState.ACTIVE:
        raise StateConflict(f"the deployment is {stored.state}")
    return stored


async def _update(transaction: Transaction, deployment: Deployment, draft: EventDraft, due_at: datetime) -> None:
    await transaction.deployments.update(deployment)
    await transaction.events.append(draft)
    await transaction.outbox.put(WorkNoun.DEPLOYMENT, deployment.id, due_at)
