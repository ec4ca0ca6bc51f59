"""Events on the wire: lines of the hash-chained audit log."""

from datetime import datetime
from uuid import UUID

from keisan.domain.limits import PAGE_ITEMS_DEFAULT
from keisan.wire.base import Count, WireInput, WireView
from keisan.wire.page import Limit


class EventQuery(WireInput):
    """At most `limit` events whose sequence is above `after`."""

    after: Count = 0
    limit: Limit = PAGE_ITEMS_DEFAULT


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


class EventList(WireView):
    """Events in order of their sequence; `last_sequence` is that of the newest event there is."""

    items: tuple[EventView, ...]
    last_sequence: int
