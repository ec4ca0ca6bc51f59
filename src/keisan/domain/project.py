"""A project: the part of an organization under which keys are made and usage is counted."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.call_limits import CallLimits
from keisan.domain.ids import OrganizationId, PlatformId, ProjectId


@dataclass(frozen=True, slots=True)
class Project:
    """`name` is unique within its organization; `policy` is the normalised text of a policy, empty for none."""

    id: ProjectId
    platform_id: PlatformId
    organization_id: OrganizationId
    name: str
    limits: CallLimits
    policy: str
    version: int
    created_at: datetime
