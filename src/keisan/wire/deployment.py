"""Deployments on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.deployment import REPLICA_COUNT_MAX, SLOTS_MAX, DeploymentState
from keisan.wire.base import Name, WireInput, WireView


class DeploymentCreate(WireInput):
    """Desired state: `replica_count` copies of a model, each serving `slots` calls at a time."""

    model_id: UUID
    engine: Name = "llama_cpp"
    replica_count: Annotated[int, Field(ge=0, le=REPLICA_COUNT_MAX)] = 1
    slots: Annotated[int, Field(ge=1, le=SLOTS_MAX)] = 4
    site_id: UUID | None = None


class DeploymentUpdate(WireInput):
    """A change of the number of copies; needs If-Match."""

    replica_count: Annotated[int, Field(ge=0, le=REPLICA_COUNT_MAX)]


class DeploymentView(WireView):
    """A deployment as the API shows it; `reason` says what placement could not do."""

    id: UUID
    platform_id: str
    model_id: UUID
    engine: str
    replica_count: int
    slots: int
    site_id: UUID | None
    state: DeploymentState
    reason: str
    version: int
    created_at: datetime
