"""Projects on the wire."""

from datetime import datetime
from uuid import UUID

from keisan.wire.base import Name, WireInput, WireView


class ProjectCreate(WireInput):
    """A new project; `organization_id` may be left out by keys of an organization."""

    name: Name
    organization_id: UUID | None = None


class ProjectUpdate(WireInput):
    """A change of name; needs If-Match."""

    name: Name


class ProjectView(WireView):
    """A project as the API shows it."""

    id: UUID
    platform_id: str
    organization_id: UUID
    name: str
    version: int
    created_at: datetime
