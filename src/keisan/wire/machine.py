"""Machine identities on the wire: one-time join tokens and the join itself (R11)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.access import MachineKind
from keisan.domain.limits import JOIN_TOKEN_LIFE_S, NAME_CHARACTERS_MAX
from keisan.wire.base import Name, SecretText, WireInput, WireView

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class JoinTokenCreate(WireInput):
    """A one-time token for a gateway, or for the agent of the named site."""

    kind: MachineKind
    site_id: UUID | None = None
    life_s: Annotated[int, Field(ge=60, le=7 * 24 * 3600)] = JOIN_TOKEN_LIFE_S


class JoinTokenCreated(WireView):
    """`token` is shown this once."""

    id: UUID
    kind: MachineKind
    site_id: UUID | None
    token: SecretText
    expires_at: datetime


class MachineJoin(WireInput):
    """A machine that joins: it made its secret itself and hands in only the digest.

    The same token with the same digest gives the same machine again, so a join may be repeated after a crash.
    """

    token: Annotated[SecretText, Field(max_length=NAME_CHARACTERS_MAX)]
    name: Name
    secret_digest: Digest


class GatewayView(WireView):
    """How far a gateway is: the snapshot version it last said it serves. One that is not connected is not waited for."""

    id: UUID
    acknowledged_version: int
    seen_at: datetime | None
    is_connected: bool


class GatewayList(WireView):
    """All gateways that are not revoked, and the snapshot version that they will come to."""

    items: tuple[GatewayView, ...]
    snapshot_version: int


class MachineView(WireView):
    """A joined machine as the API shows it."""

    id: UUID
    platform_id: str
    kind: MachineKind
    site_id: UUID | None
    name: str
    acknowledged_version: int
    seen_at: datetime | None
    version: int
    created_at: datetime
    revoked_at: datetime | None
