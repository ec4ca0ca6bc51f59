"""A deployment: the desired state "this model, n copies, under these constraints"."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import DeploymentId, GrantId, ModelId, PlatformId, SiteId

REPLICA_COUNT_MAX = 1000
SLOTS_MAX = 1024


class DeploymentState(StrEnum):
    """Active, or on its way out: a deleting deployment is gone once its last replica has stopped."""

    ACTIVE = "active"
    DELETING = "deleting"
    DELETED = "deleted"


DEPLOYMENT_TRANSITIONS: dict[DeploymentState, frozenset[DeploymentState]] = {
    DeploymentState.ACTIVE: frozenset({DeploymentState.DELETING}),
    DeploymentState.DELETING: frozenset({DeploymentState.DELETED}),
    DeploymentState.DELETED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """`slots` is how many calls one replica serves at a time; `site_id` None lets placement choose.

    `reason` is why placement could not do all that is desired, empty when it could. `fence` rises with every placement.
    `grant_id` is the grant under which it runs for a parent platform, on devices of that grant only; None for the platform's own.
    """

    id: DeploymentId
    platform_id: PlatformId
    model_id: ModelId
    engine: str
    replica_count: int
    slots: int
    site_id: SiteId | None
    state: DeploymentState
    reason: str
    version: int
    created_at: datetime
    fence: int = 0
    grant_id: GrantId | None = None
