"""Deliveries on the wire: how far each alert has come on its way to a webhook."""

from datetime import datetime
from uuid import UUID

from keisan.domain.delivery import DeliveryState
from keisan.wire.base import WireView


class DeliveryView(WireView):
    """A delivery as the API shows it; `last_answer` is what came of the last try, in words."""

    id: UUID
    platform_id: str
    organization_id: UUID | None
    webhook_id: UUID
    sequence: int
    alert_id: UUID
    state: DeliveryState
    attempt_count: int
    next_at: datetime
    last_answer: str
    version: int
    created_at: datetime
