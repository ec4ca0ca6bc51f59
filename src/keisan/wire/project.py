"""Projects on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from keisan.wire.base import Name, WireChange, WireInput, WireView
from keisan.wire.call_limits import CallLimitsChange, CallLimitsView
from keisan.wire.policy import PolicyText


class ProjectCreate(WireInput):
    """A new project; `organization_id` may be left out by keys of an organization."""

    name: Name
    organization_id: UUID | None = None
    limits: CallLimitsChange = CallLimitsChange()
    policy: PolicyText = ""


class ProjectUpdate(WireChange):
    """A change of what is named; needs If-Match."""

    name: Name = Field(default_factory=str)
    limits: CallLimitsChange = Field(default_factory=CallLimitsChange)
    policy: PolicyText = Field(default_factory=str)


class ProjectView(WireView):
    """A project as the API shows it."""

    id: UUID
    platform_id: str
    organization_id: UUID
    name: str
    limits: CallLimitsView
    policy: str
    version: int
    created_at: datetime
