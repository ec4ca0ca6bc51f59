"""A replica: one running copy of a model with an endpoint.

assigned -> starting -> ready; starting and ready -> failed; failed -> starting (the agent restarts it with backoff);
every state but stopped -> stopping -> stopped. Only the platform stops a replica; silence never does.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import DeploymentId, DeviceId, ModelId, NodeId, PlatformId, ProviderId, ReplicaId, SiteId
from keisan.domain.verdict import Verdict


class ReplicaState(StrEnum):
    """Where a replica is in its life."""

    ASSIGNED = "assigned"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


_S = ReplicaState
REPLICA_TRANSITIONS: dict[ReplicaState, frozenset[ReplicaState]] = {
    _S.ASSIGNED: frozenset({_S.STARTING, _S.READY, _S.FAILED, _S.STOPPING}),
    _S.STARTING: frozenset({_S.READY, _S.FAILED, _S.STOPPING}),
    _S.READY: frozenset({_S.STARTING, _S.FAILED, _S.STOPPING}),
    _S.FAILED: frozenset({_S.STARTING, _S.READY, _S.STOPPING}),
    _S.STOPPING: frozenset({_S.STOPPED}),
    _S.STOPPED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a replica listens: kind "unix" with the path of its socket."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Replica:
    """`verdict` is what the platform believes of it; `message` is the last fault in words, empty when none.

    `device_id` is None for one that was placed before devices were told apart. `model_digest` is "sha256:" + hex of the weights that are loaded, empty until it was ready once.
    """

    id: ReplicaId
    platform_id: PlatformId
    deployment_id: DeploymentId
    model_id: ModelId
    provider_id: ProviderId
    site_id: SiteId
    node_id: NodeId
    device_id: DeviceId | None
    engine: str
    chip: str
    slots: int
    state: ReplicaState
    verdict: Verdict
    endpoint: Endpoint | None
    model_digest: str
    restart_count: int
    message: str
    version: int
    created_at: datetime
    reported_at: datetime | None


def can_move_replica(before: ReplicaState, after: ReplicaState) -> bool:
    """Tell whether the state table has this transition; staying is always allowed."""
    return before is after or after in REPLICA_TRANSITIONS[before]
