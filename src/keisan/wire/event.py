"""Events on the wire: lines of the hash-chained audit log."""

from datetime import datetime
from uuid import UUID

from keisan.wire.base import WireView


class EventView(WireView):
    """An event as the API shows it."""

    id: UUID
    platform_id: str
    sequence: int
    actor: str
    action: str
    noun_id: UUID | None
    detail: dict[str, str]
    created_at: datetime
    previous_hash: str
    hash: str
