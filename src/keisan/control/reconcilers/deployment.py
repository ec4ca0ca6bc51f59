"""Deployments: as many replicas as desired, placed on nodes; surplus ones are stopped; a deleting one empties itself.

A failed replica is restarted by its agent and an unknown one is left alone: neither is replaced.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.device import Device
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.ids import DeploymentId, ReplicaId
from keisan.domain.model import Model
from keisan.domain.node import Node
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.site import Site
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.placement.candidate import Candidate, Request
from keisan.placement.decide import place_copies
from keisan.storage.base import Transaction

UNPLACED_WAIT = timedelta(seconds=2)
_STOP_ORDER = {Verdict.FAILED: 0, Verdict.UNKNOWN: 1, Verdict.OK: 2}


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment, its model, its live replicas, and the nodes there are."""

    deployment: Deployment
    model: Model
    replicas: tuple[Replica, ...]
    candidates: tuple[Candidate, ...]


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
        return DeploymentView(deployment, model, tuple(replicas), await load_candidates(transaction))

    def decide(self, state: DeploymentView, now: datetime) -> DeploymentChange:
        """Compare desired with actual and place or stop the difference."""
        if state.deployment.state is not DeploymentState.ACTIVE:
            return _stop_all(state)
        running = [replica for replica in state.replicas if replica.state is not ReplicaState.STOPPING]
        missing = state.deployment.replica_count - len(running)
        if missing <= 0:
            surplus = sorted(running, key=_rank_for_stop)[:-missing] if missing else []
            return DeploymentChange(_note_reason(state.deployment, ""), (), _stop(surplus), is_unplaced=False)
        return _place_missing(state, missing, now)

    async def apply(self, transaction: Transaction, change: DeploymentChange, now: datetime) -> datetime | None:
        """Write replicas and deployment with their events; look again soon only if a copy found no place."""
        if change.deployment is not None:
            await transaction.deployments.update(change.deployment)
            await _note(
                transaction, f"deployment.{change.deployment.state}", change.deployment.id, change.deployment.reason
            )
        for replica in change.created:
            await transaction.replicas.insert(replica)
            await _note(transaction, "replica.assigned", replica.id, f"node {replica.node_id}")
        for replica in change.stopped:
            await transaction.replicas.update(replica)
            await _note(transaction, "replica.stopping", replica.id, "")
        await transaction.snapshot.touch(SnapshotTable.REPLICAS, [replica.id for replica in change.stopped])
        return now + UNPLACED_WAIT if change.is_unplaced else None


async def _note(transaction: Transaction, action: str, noun_id: UUID, reason: str) -> None:
    await transaction.events.append(EventDraft("control", action, noun_id, {"reason": reason} if reason else {}))


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
    request = Request(deployment.engine, state.model.facts.memory_bytes, deployment.site_id)
    decision = place_copies(request, missing, state.candidates)
    created = tuple(_create_replica(deployment, candidate, now) for candidate in decision.chosen)
    unplaced = missing - len(created)
    reason = ""
    if unplaced:
        reason = f"{unplaced} of {deployment.replica_count} replicas have no place: {decision.explain() or 'no node is known'}"
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


async def load_candidates(transaction: Transaction) -> tuple[Candidate, ...]:
    """Return every node as a candidate, with the memory that placed replicas leave free."""
    scope = PlatformScope()
    models = {model.id: model for model in await transaction.models.list_by_ids(scope, None)}
    replicas = await transaction.replicas.list_by_ids(scope, None)
    candidates: list[Candidate] = []
    for site in await transaction.sites.list_all(scope):
        devices = await transaction.devices.list_site(scope, site.id)
        for node in await transaction.nodes.list_site(scope, site.id):
            placed = [models[replica.model_id] for replica in replicas if replica.node_id == node.id]
            device = _choose_device(devices, node)
            if device is not None:
                candidates.append(_build_candidate(site, node, device, placed))
    return tuple(candidates)


def _choose_device(devices: Iterable[Device], node: Node) -> Device | None:
    """Return the node's healthiest device with the most memory; one device serves a replica in this release."""
    own = [device for device in devices if device.node_id == node.id]
    return max(own, key=lambda device: (device.verdict is Verdict.OK, device.memory_bytes), default=None)


def _build_candidate(site: Site, node: Node, device: Device, placed: list[Model]) -> Candidate:
    return Candidate(
        node_id=node.id,
        site_id=site.id,
        provider_id=site.provider_id,
        chip=device.chip,
        engines=frozenset(site.engines),
        memory_free_bytes=device.memory_bytes - sum(model.facts.memory_bytes for model in placed),
        replica_count=len(placed),
        site_verdict=site.verdict,
        device_verdict=device.verdict,
    )
