"""What a child runs under a grant: a deployment of its own, on the grant's devices, as the parent's want says."""

from dataclasses import replace
from datetime import datetime

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.deployment import build_deployment, insert_deployment
from keisan.domain.access import PlatformScope
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.grant import HOLDING_STATES, Grant, GrantWork
from keisan.domain.ids import DeploymentId
from keisan.domain.lease import WorkNoun
from keisan.domain.model import Model
from keisan.storage.base import Transaction
from keisan.wire.deployment import DeploymentCreate

EVERYTHING = PlatformScope()


async def follow_work(transaction: Transaction, control: Control, grant: Grant) -> Grant:
    """Bring the deployment under a grant in line with what its parent wants there, and return the grant that names it.

    Whether replicas are begun is the reconciler's to judge, each time, by the grant's time. Nothing is wanted of a grant that is over.
    """
    work = grant.work if grant.state in HOLDING_STATES else None
    running = await _find_running(transaction, grant)
    now = control.clock.now()
    if running is not None and not await _is_same(transaction, running, work):
        await _write(transaction, replace(running, state=DeploymentState.DELETING), "deployment.deleting", now)
        running = None
    if work is None:
        return grant
    if running is not None:
        if running.replica_count != work.replica_count:
            scaled = replace(running, replica_count=work.replica_count)
            await _write(transaction, scaled, "deployment.scaled", now)
        else:
            # A grant that was renewed may begin again what it lacks.
            await transaction.outbox.put(WorkNoun.DEPLOYMENT, running.id, now)
        return grant
    return await _begin(transaction, control, grant, work)


async def _begin(transaction: Transaction, control: Control, grant: Grant, work: GrantWork) -> Grant:
    model = await transaction.models.find_by_name(EVERYTHING, work.model_name)
    refusal = explain_unfit(model, work)
    if refusal:
        return await _note(transaction, replace(grant, reason=refusal))
    assert model is not None
    body = DeploymentCreate(
        model_id=model.id, engine=work.engine, replica_count=work.replica_count, slots=work.slots, site_id=None
    )
    deployment = replace(build_deployment(control, model, body), grant_id=grant.id)
    await insert_deployment(transaction, CONTROL_ACTOR, deployment)
    return await _note(transaction, replace(grant, deployment_id=deployment.id, reason=""))


def explain_unfit(model: Model | None, work: GrantWork) -> str:
    """Return why a child cannot run what its parent wants, empty if it can: it knows the model, by the same weights, on that engine."""
    if model is None:
        return f"this platform has no model '{work.model_name}'"
    if model.facts.weights_sha256 != work.weights_sha256:
        return f"this platform has '{work.model_name}' with other weights"
    if work.engine not in model.facts.engines:
        return f"'{work.model_name}' does not run on {work.engine}"
    return ""


async def _find_running(transaction: Transaction, grant: Grant) -> Deployment | None:
    if grant.deployment_id is None:
        return None
    try:
        found = await transaction.deployments.get(EVERYTHING, DeploymentId(grant.deployment_id))
    except NotFound:
        return None
    return found if found.state is DeploymentState.ACTIVE else None


async def _is_same(transaction: Transaction, running: Deployment, work: GrantWork | None) -> bool:
    if work is None:
        return False
    model = await transaction.models.get(EVERYTHING, running.model_id)
    told = (model.facts.name, model.facts.weights_sha256, running.engine, running.slots)
    return told == (work.model_name, work.weights_sha256, work.engine, work.slots)


async def _write(transaction: Transaction, deployment: Deployment, action: str, now: datetime) -> None:
    await transaction.deployments.update(replace(deployment, version=deployment.version + 1))
    await transaction.events.append(EventDraft(CONTROL_ACTOR, action, deployment.id, {"why": "its grant"}))
    await transaction.outbox.put(WorkNoun.DEPLOYMENT, deployment.id, now)


async def _note(transaction: Transaction, grant: Grant) -> Grant:
    noted = replace(grant, version=grant.version + 1)
    await transaction.grants.update(noted)
    return noted
