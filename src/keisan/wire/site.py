"""Sites on the wire, and the one exchange between a site's agent and the platform: report up, orders down.

Orders are explicit: a replica stops only where an order says so. What an answer leaves out stays as it is.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from keisan.domain.limits import (
    LOG_TAIL_CHARACTERS_MAX,
    SITE_DEVICES_MAX,
    SITE_ENGINES_MAX,
    SITE_NODES_MAX,
    SITE_REPLICAS_MAX,
)
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.wire.base import Count, ForeignText, Name, Region, WireInput, WireView
from keisan.wire.challenge import ChallengeOrder
from keisan.wire.device import DeviceReport
from keisan.wire.door import DoorOrder, DoorReport
from keisan.wire.node import NodeReport
from keisan.wire.replica import EndpointView
from keisan.wire.snapshot import EngineProfile

# What every language's JSON reads exactly.
FENCE_MAX = 2**53


class SiteCreate(WireInput):
    """A new site of a provider, in a region (ISO 3166-2)."""

    name: Name
    provider_id: UUID
    region: Region


class SiteView(WireView):
    """A site as the API shows it."""

    id: UUID
    platform_id: str
    provider_id: UUID
    name: str
    region: str
    verdict: Verdict
    reported_at: datetime | None
    version: int
    created_at: datetime


class ReplicaReport(WireInput):
    """What the agent knows of one replica; `message` is the last fault, `log_tail` the engine's last lines."""

    replica_id: UUID
    state: ReplicaState
    endpoint: EndpointView | None = None
    model_digest: Annotated[ForeignText, Field(max_length=128)] = ""
    slots: Count = 0
    restart_count: Count = 0
    message: Annotated[ForeignText, Field(max_length=1024)] = ""
    log_tail: Annotated[ForeignText, Field(max_length=LOG_TAIL_CHARACTERS_MAX)] = ""


class FenceReport(WireInput):
    """The highest fence that an agent has seen of a deployment, of which it was given a lower one."""

    deployment_id: UUID
    epoch: Annotated[int, Field(ge=0, le=FENCE_MAX)]
    number: Annotated[int, Field(ge=0, le=FENCE_MAX)]


class SiteReport(WireInput):
    """Everything an agent knows of its site, each time: level, not edge.

    `engines` are those it can start; `door` None: the site has none. `fences` are told of orders that were not followed, and left
    out when there are none: a platform of before fences, which gives no such orders, would refuse them.
    """

    agent_id: UUID
    nodes: Annotated[tuple[NodeReport, ...], Field(max_length=SITE_NODES_MAX)]
    devices: Annotated[tuple[DeviceReport, ...], Field(max_length=SITE_DEVICES_MAX)]
    replicas: Annotated[tuple[ReplicaReport, ...], Field(max_length=SITE_REPLICAS_MAX)]
    engines: Annotated[dict[Name, EngineProfile], Field(max_length=SITE_ENGINES_MAX)]
    door: DoorReport | None = None
    fences: Annotated[tuple[FenceReport, ...], Field(max_length=SITE_REPLICAS_MAX)] = ()

    @model_serializer(mode="wrap")
    def _leave_out_no_fences(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in write(self).items() if name != "fences" or self.fences}


class OrderAction(StrEnum):
    """What the platform wants of one replica."""

    RUN = "run"
    STOP = "stop"


class ReplicaOrder(WireView):
    """An order for one replica. A RUN order carries all that is needed to start it without asking again.

    `epoch` and `fence` rise when the platform begins another life, and when it places the deployment anew: an agent that has seen
    higher ones of the deployment does not follow it.
    """

    replica_id: UUID
    action: OrderAction
    deployment_id: UUID | None = None
    model_name: str = ""
    engine: str = ""
    node_hardware_id: str = ""
    slots: int = 0
    context_tokens: int = 0
    weights: str = ""
    weights_sha256: str = ""
    weights_bytes: int = 0
    epoch: int = 0
    fence: int = 0


class SiteOrders(WireView):
    """The answer to a report; `door` is for a site that reported one. All `challenges` are begun at once."""

    orders: tuple[ReplicaOrder, ...]
    next_report_s: float
    door: DoorOrder | None = None
    challenges: tuple[ChallengeOrder, ...] = ()
