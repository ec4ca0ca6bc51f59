"""Events: the hash-chained audit log, seen by a platform's own people only."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import BigInteger, PrimaryKeyConstraint, Table, Text, UniqueConstraint, select

from keisan.domain.access import Scope
from keisan.domain.event import Event, EventDraft, hash_event
from keisan.domain.ids import EventId
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.storage.connection import GuardedConnection
from keisan.storage.head import HeadRow
from keisan.storage.platform import PlatformRepository
from keisan.storage.repository import Visibility
from keisan.storage.schema import Instant, Structure, build_column, build_id, metadata

event = Table(
    "event",
    metadata,
    build_column("sequence", BigInteger()),
    build_id("id"),
    build_column("platform_id", Text()),
    build_column("actor", Text()),
    build_column("action", Text()),
    build_id("noun_id", is_nullable=True),
    build_column("detail", Structure(dict, dict)),
    build_column("created_at", Instant()),
    build_column("previous_hash", Text()),
    build_column("hash", Text()),
    PrimaryKeyConstraint("sequence"),
    UniqueConstraint("id"),
)
VISIBILITY = Visibility()


class EventRepository:
    """Appends to the chain and lists it."""

    def __init__(
        self, connection: GuardedConnection, head: HeadRow, platform: PlatformRepository, clock: Clock
    ) -> None:
        self._connection = connection
        self._head = head
        self._platform = platform
        self._clock = clock

    async def append(self, draft: EventDraft) -> Event:
        """Chain the draft behind the last event; the chain's head stays locked until commit.

        Raises NotFound before the platform is there.
        """
        head = await self._head.lock()
        unsealed = Event(
            id=EventId(create_id()),
            platform_id=await self._platform.get_id(),
            sequence=head.event_sequence + 1,
            actor=draft.actor,
            action=draft.action,
            noun_id=draft.noun_id,
            detail=dict(draft.detail),
            created_at=self._clock.now(),
            previous_hash=head.event_hash,
            hash="",
        )
        appended = replace(unsealed, hash=hash_event(unsealed))
        row = {column.name: getattr(appended, column.name) for column in event.columns}
        await self._connection.change(event.insert(), row)
        await self._head.move(replace(head, event_sequence=appended.sequence, event_hash=appended.hash))
        return appended

    async def list(self, scope: Scope, after_sequence: int, limit: int) -> Sequence[Event]:
        """Return events in order of sequence, after the given one; an empty list outside a platform's scope."""
        statement = select(event).where(VISIBILITY.limit(scope), event.c.sequence > after_sequence)
        rows = await self._connection.fetch_all(statement.order_by(event.c.sequence).limit(limit))
        return [Event(**row) for row in rows]

    async def get_last_sequence(self, scope: Scope) -> int:
        """Return the newest event's sequence, 0 when there is none in scope."""
        newest = select(event.c.sequence).where(VISIBILITY.limit(scope)).order_by(event.c.sequence.desc()).limit(1)
        row = await self._connection.fetch_first(newest)
        return 0 if row is None else int(row["sequence"])
