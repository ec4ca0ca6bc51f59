"""Organizations on the wire."""

from datetime import datetime
from uuid import UUID

from keisan.wire.base import Name, WireInput, WireView


class OrganizationCreate(WireInput):
    """A new organization."""

    name: Name


class OrganizationUpdate(WireInput):
    """A change of name; needs If-Match."""

    name: Name


class OrganizationView(WireView):
    """An organization as the API shows it; `version` is the ETag."""

    id: UUID
    platform_id: str
    name: str
    version: int
    created_at: datetime
