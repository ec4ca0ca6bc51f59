"""An event: one line of the hash-chained audit log; every mutation writes one in its own transaction."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.domain.ids import EventId, PlatformId

FIRST_EVENT_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Event:
    """`sequence` has no gaps; `hash` covers the event and `previous_hash`, so a changed line breaks the chain.

    `actor` is "key:<id>", "machine:<id>" or "control"; `action` is noun.verb, for example "replica.ready".
    """

    id: EventId
    platform_id: PlatformId
    sequence: int
    actor: str
    action: str
    noun_id: UUID | None
    detail: Mapping[str, str]
    created_at: datetime
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class EventDraft:
    """What happened, before it has its place in the chain."""

    actor: str
    action: str
    noun_id: UUID | None
    detail: Mapping[str, str]


def hash_event(event: Event) -> str:
    """Return the hex SHA-256 over all of an event but its own `hash`, which ties it to its place in the chain."""
    content = {
        "action": event.action,
        "actor": event.actor,
        "created_at": event.created_at.isoformat(),
        "detail": dict(event.detail),
        "id": str(event.id),
        "noun_id": str(event.noun_id) if event.noun_id else None,
        "platform_id": event.platform_id,
        "previous_hash": event.previous_hash,
        "sequence": event.sequence,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
