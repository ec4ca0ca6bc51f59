"""Deployments: as many replicas as desired, placed on devices; surplus ones are stopped; a deleting one empties itself.

A failed replica is restarted by its agent and an unknown one is left alone: neither is replaced. One on a device that is
drained is stopped once another is ready in its place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.fence import draw_fence_leap
from keisan.control.grant_letter import read_offset
from keisan.control.reconcilers.candidate import load_places
from keisan.domain.access import PlatformScope
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.errors import NotFound, VersionMismatch
from keisan.domain.event import EventDraft
from keisan.domain.grant import Grant
from keisan.domain.ids import DeploymentId, ReplicaId
from keisan.domain.model import Model
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.verdict import Verdict
from keisan.federation.rule_grant import may_begin_work
from keisan.kit.ids import create_id
from keisan.placement.candidate import Candidate, Request
from keisan.placement.decide import place_copies
from keisan.storage.base import Transaction

UNPLACED_WAIT = timedelta(seconds=2)
_STOP_ORDER = {Verdict.FAILED: 0, Verdict.UNKNOWN: 1, Verdict.OK: 2}


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment, its model, its live replicas, the devices there are, and the replicas that must leave theirs.

    `grant` is the one under which it runs for a parent, whose clock is `offset_ms` ahead.
    """

    deployment: Deployment
    model: Model
    replicas: tuple[Replica, ...]
    candidates: tuple[Candidate, ...]
    leaving: frozenset[ReplicaId] = frozenset()
    grant: Grant | None = None
    offset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DeploymentChange:
    """Replicas to make and to stop, and the deployment to write, None if it stays as it is."""

    deployment: Deployment | None
    created: tuple[Replica, ...]
    stopped: tuple[Replica, ...]
    is_unplaced: bool


class DeploymentReconciler:
    """Brings the replicas of a deployment to the desired number."""

    async def load(self, transaction: Transaction, noun_id: UUID) -> DeploymentView | None:
        """Return the deployment with all that placement needs, None if it is gone."""
        scope = PlatformScope()
        try:
            deployment = await transaction.deployments.get(scope, DeploymentId(noun_id))
        except NotFound:
            return None
        model = await transaction.models.get(scope, deployment.model_id)
        replicas = await transaction.replicas.list_deployment(scope, deployment.id)
        places = await load_places(transaction)
        state = DeploymentView(deployment, model, tuple(replicas), places.candidates, places.leaving)
        if deployment.grant_id is None:
            return state
        grant = await transaction.grants.get(scope, deployment.grant_id)
        return replace(state, grant=grant, offset_ms=await read_offset(transaction, grant.parent_id))

    def decide(self, state: DeploymentView, now: datetime) -> DeploymentChange:
        """Compare desired with actual and place or stop the difference."""
        if state.deployment.state is not DeploymentState.ACTIVE:
            return _stop_all(state)
        running = [replica for replica in state.replicas if replica.state is not ReplicaState.STOPPING]
        staying = [replica for replica in running if replica.id not in state.leaving]
        missing = state.deployment.replica_count - len(staying)
        stopped = _stop([*_list_surplus(staying, -missing), *_list_relieved(state, running, staying)])
        if missing <= 0:
            return DeploymentChange(_note_reason(state.deployment, ""), (), stopped, is_unplaced=False)
        if state.grant is not None and not may_begin_work(state.grant, now, state.offset_ms):
            # What runs goes on: the time of a grant ends what begins, not what is there.
            noted = _note_reason(state.deployment, f"the grant's time is over: {missing} replicas are not begun")
            return DeploymentChange(noted, (), stopped, is_unplaced=False)
        return replace(_place_missing(state, missing, now), stopped=stopped)

    async def apply(self, transaction: Transaction, change: DeploymentChange, now: datetime) -> datetime | None:
        """Write replicas and deployment with their events; look again soon only if a copy found no place."""
        if change.deployment is not None:
            await transaction.deployments.update(change.deployment)
            await _note(
                transaction, f"deployment.{change.deployment.state}", change.deployment.id, change.deployment.reason
            )
        await _check_grants(transaction, change.created)
        for replica in change.created:
            await transaction.replicas.insert(replica)
            await _note(transaction, "replica.assigned", replica.id, f"node {replica.node_id}")
        for deployment_id in {replica.deployment_id for replica in change.created}:
            # Whatever an agent was told of this deployment before is older than this placement.
            await transaction.deployments.raise_fence(deployment_id, draw_fence_leap())
        for replica in change.stopped:
            await transaction.replicas.update(replica)
            await _note(transaction, "replica.stopping", replica.id, "")
        await transaction.snapshot.touch(SnapshotTable.REPLICAS, [replica.id for replica in change.stopped])
        return now + UNPLACED_WAIT if change.is_unplaced else None


async def _check_grants(transaction: Transaction, created: tuple[Replica, ...]) -> None:
    """Raise VersionMismatch where a device was granted, or taken back, since the load: nobody grants while this transaction lasts."""
    if not created or await transaction.grant_terms.lock(created[0].platform_id) is None:
        return
    scope = PlatformScope()
    holding = await transaction.grants.list_holding(scope)
    granted = {device_id: grant.id for grant in holding for device_id in grant.device_ids}
    deployment = await transaction.deployments.get(scope, created[0].deployment_id)
    for replica in created:
        if replica.device_id is not None and granted.get(replica.device_id) != deployment.grant_id:
            raise VersionMismatch("a device was granted, or taken back, since it was chosen")


async def _note(transaction: Transaction, action: str, noun_id: UUID, reason: str) -> None:
    await transaction.events.append(EventDraft("control", action, noun_id, {"reason": reason} if reason else {}))


def _list_surplus(replicas: list[Replica], count: int) -> list[Replica]:
    return sorted(replicas, key=_rank_for_stop)[: max(0, count)]


def _list_relieved(state: DeploymentView, running: list[Replica], staying: list[Replica]) -> list[Replica]:
    """Return those that leave a drained device and are needed no longer: others are ready in their place."""
    ready = sum(replica.state is ReplicaState.READY for replica in staying)
    needed = max(0, state.deployment.replica_count - ready)
    leaving = [replica for replica in running if replica.id in state.leaving]
    return _list_surplus(leaving, len(leaving) - needed)


def _rank_for_stop(replica: Replica) -> tuple[int, float]:
    """Failed before unknown before ok, and the newest first."""
    return (_STOP_ORDER[replica.verdict], -replica.created_at.timestamp())


def _stop(replicas: Iterable[Replica]) -> tuple[Replica, ...]:
    return tuple(replace(replica, state=ReplicaState.STOPPING, version=replica.version + 1) for replica in replicas)


def _note_reason(deployment: Deployment, reason: str) -> Deployment | None:
    if deployment.reason == reason:
        return None
    return replace(deployment, reason=reason, version=deployment.version + 1)


def _stop_all(state: DeploymentView) -> DeploymentChange:
    running = [replica for replica in state.replicas if replica.state is not ReplicaState.STOPPING]
    is_over = state.deployment.state is DeploymentState.DELETING and not state.replicas
    ended = replace(state.deployment, state=DeploymentState.DELETED, version=state.deployment.version + 1)
    return DeploymentChange(ended if is_over else None, (), _stop(running), is_unplaced=False)


def _place_missing(state: DeploymentView, missing: int, now: datetime) -> DeploymentChange:
    deployment = state.deployment
    request = Request(deployment.engine, state.model.facts.memory_bytes, deployment.site_id, deployment.grant_id)
    decision = place_copies(request, missing, state.candidates)
    created = tuple(_create_replica(deployment, candidate, now) for candidate in decision.chosen)
    unplaced = missing - len(created)
    reason = ""
    if unplaced:
        reason = f"{unplaced} of {deployment.replica_count} replicas have no place: {decision.explain() or 'no device is known'}"
    return DeploymentChange(_note_reason(deployment, reason), created, (), is_unplaced=unplaced > 0)


def _create_replica(deployment: Deployment, candidate: Candidate, now: datetime) -> Replica:
    return Replica(
        id=ReplicaId(create_id()),
        platform_id=deployment.platform_id,
        deployment_id=deployment.id,
        model_id=deployment.model_id,
        provider_id=candidate.provider_id,
        site_id=candidate.site_id,
        node_id=candidate.node_id,
        device_id=candidate.device_id,
        engine=deployment.engine,
        chip=candidate.chip,
        slots=deployment.slots,
        state=ReplicaState.ASSIGNED,
        verdict=Verdict.UNKNOWN,
        endpoint=None,
        model_digest="",
        restart_count=0,
        message="",
        version=1,
        created_at=now,
        reported_at=None,
    )
