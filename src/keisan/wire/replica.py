"""Replicas on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from keisan.domain.limits import UNIX_SOCKET_PATH_BYTES_MAX
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.wire.base import WireView
from keisan.wire.page import ListQuery


class EndpointView(WireView):
    """Where a replica listens: the absolute path of its unix socket."""

    kind: Literal["unix"]
    path: Annotated[str, Field(pattern=r"^/[^\x00]*$", max_length=UNIX_SOCKET_PATH_BYTES_MAX)]


class ReplicaView(WireView):
    """A replica as the API shows it; its endpoint is nobody's business but the gateway's."""

    id: UUID
    platform_id: str
    deployment_id: UUID
    model_id: UUID
    provider_id: UUID
    site_id: UUID
    node_id: UUID
    engine: str
    chip: str
    slots: int
    state: ReplicaState
    verdict: Verdict
    model_digest: str
    restart_count: int
    message: str
    version: int
    created_at: datetime
    reported_at: datetime | None


class ReplicaQuery(ListQuery):
    """A page of replicas, or all that are not stopped of one deployment, which fit one answer."""

    deployment_id: UUID | None = None


class ReplicaLog(WireView):
    """The last lines an engine wrote, as its agent sent them."""

    replica_id: UUID
    log_tail: str
