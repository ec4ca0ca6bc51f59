"""A project: the part of an organization under which keys are made and usage is counted."""

from dataclasses import dataclass
from datetime import datetime

from keisan.domain.ids import OrganizationId, PlatformId, ProjectId


@dataclass(frozen=True, slots=True)
class Project:
    """`name` is unique within its organization."""

    id: ProjectId
    platform_id: PlatformId
    organization_id: OrganizationId
    name: str
    version: int
    created_at: datetime
