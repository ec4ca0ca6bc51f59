"""Keys on the wire. The secret crosses once, in the answer to its creation."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.access import Role
from keisan.domain.limits import KEY_MODELS_MAX
from keisan.wire.base import Name, SecretText, WireChange, WireInput, WireView
from keisan.wire.call_limits import CallLimitsChange, CallLimitsView
from keisan.wire.policy import PolicyText


class KeyCreate(WireInput):
    """A new key in a project. `models` None allows all models. Nobody can make a key wider than their own."""

    name: Name
    project_id: UUID
    role: Role = Role.DEVELOPER
    models: Annotated[tuple[Name, ...], Field(max_length=KEY_MODELS_MAX)] | None = None
    provider_id: UUID | None = None
    limits: CallLimitsChange = CallLimitsChange()
    policy: PolicyText = ""


class KeyUpdate(WireChange):
    """A change of what is named; needs If-Match. Nobody can make a key wider than their own."""

    limits: CallLimitsChange = Field(default_factory=CallLimitsChange)
    policy: PolicyText = Field(default_factory=str)


class KeyView(WireView):
    """A key as the API shows it: never its secret nor its digest."""

    id: UUID
    platform_id: str
    organization_id: UUID
    project_id: UUID
    provider_id: UUID | None
    name: str
    role: Role
    models: tuple[str, ...] | None
    limits: CallLimitsView
    policy: str
    version: int
    created_at: datetime
    revoked_at: datetime | None


class KeyCreated(WireView):
    """The answer to a creation: `secret` is shown this once; gateways know the key from `snapshot_version` on."""

    key: KeyView
    secret: SecretText
    snapshot_version: int


class KeyRevoked(WireView):
    """The answer to a revocation: gateways that acknowledge `snapshot_version` refuse the key."""

    key: KeyView
    snapshot_version: int
