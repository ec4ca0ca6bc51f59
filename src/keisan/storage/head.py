"""One row that gives order: to the chains of events and journal entries, versions of the snapshot, changes of registers.

All stand in the same row because two rows could be locked in two orders, and then transactions would wait for each other.
For the same reason accounts and tickets are locked before it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, PrimaryKeyConstraint, SmallInteger, Table, Text, select, update

from keisan.domain.errors import InvariantBroken
from keisan.storage.connection import GuardedConnection
from keisan.storage.schema import AnyRow, build_column, build_id, metadata

head = Table(
    "head",
    metadata,
    # Always 1: there is one head.
    build_column("position", SmallInteger()),
    build_column("event_sequence", BigInteger()),
    build_column("event_hash", Text()),
    build_column("entry_sequence", BigInteger()),
    build_column("entry_hash", Text()),
    build_id("snapshot_incarnation"),
    build_column("snapshot_version", BigInteger()),
    # Changes after this version are all kept.
    build_column("snapshot_kept_after", BigInteger()),
    build_column("snapshot_change_count", BigInteger()),
    # How many times a register was put.
    build_column("register_change", BigInteger()),
    PrimaryKeyConstraint("position"),
    CheckConstraint("position = 1", "one_head"),
)


_FIELDS = tuple(column for column in head.columns if column.name != "position")


@dataclass(frozen=True, slots=True)
class Head:
    """The head as it stands within a transaction."""

    event_sequence: int
    event_hash: str
    entry_sequence: int
    entry_hash: str
    snapshot_incarnation: UUID
    snapshot_version: int
    snapshot_kept_after: int
    snapshot_change_count: int
    register_change: int


class HeadRow:
    """Reads and writes the head; once locked it is known until commit."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection
        self._locked: Head | None = None

    async def read(self) -> Head:
        """Return the head; raises InvariantBroken if the migration that made it was undone."""
        if self._locked is not None:
            return self._locked
        return _build_head(await self._connection.fetch_all(select(*_FIELDS)))

    async def lock(self) -> Head:
        """Return the head, which no other transaction changes until this one ends; raises as read does."""
        if self._locked is None:
            self._locked = _build_head(await self._connection.fetch_locked(select(*_FIELDS)))
        return self._locked

    async def move(self, after: Head) -> None:
        """Write the head; only a transaction that has locked it may."""
        await self._connection.change(update(head), asdict(after))
        self._locked = after


def _build_head(rows: Sequence[AnyRow]) -> Head:
    if not rows:
        raise InvariantBroken("this database has no head")
    return Head(**rows[0])
