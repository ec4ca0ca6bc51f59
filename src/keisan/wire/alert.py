"""Alerts on the wire: as the API shows them, and as they are sent to webhooks."""

from datetime import datetime
from uuid import UUID

from keisan.wire.base import WireView


class AlertView(WireView):
    """An alert. `kind` is open: a later release may have others. `subject_id` is the id of what it is about, by kind."""

    id: UUID
    platform_id: str
    organization_id: UUID | None
    kind: str
    subject_id: UUID
    detail: dict[str, str]
    created_at: datetime
