"""The journal: entries in one signed chain, appended and never changed. The platform sees them."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import BigInteger, LargeBinary, PrimaryKeyConstraint, Table, Text, UniqueConstraint, select

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.entry import ChainEnd, Entry, EntryKind
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import EntryId
from keisan.storage.connection import GuardedConnection
from keisan.storage.head import HeadRow
from keisan.storage.repository import Visibility
from keisan.storage.schema import AnyRow, EnumText, Instant, build_column, build_id, metadata

entry = Table(
    "entry",
    metadata,
    build_column("sequence", BigInteger()),
    build_id("id"),
    build_column("platform_id", Text()),
    build_column("kind", EnumText(EntryKind)),
    build_column("record_count", BigInteger()),
    # As bytes: what was signed is handed on exactly as it was.
    build_column("header", LargeBinary()),
    build_column("hash", Text()),
    build_column("signature", LargeBinary()),
    build_column("created_at", Instant()),
    PrimaryKeyConstraint("sequence"),
    UniqueConstraint("id"),
)
VISIBILITY = Visibility()


class EntryRepository:
    """Appends to the chain and reads it."""

    def __init__(self, connection: GuardedConnection, head: HeadRow) -> None:
        self._connection = connection
        self._head = head

    async def lock_end(self) -> ChainEnd:
        """Return the end of the chain, which stays locked until commit."""
        head = await self._head.lock()
        return ChainEnd(head.entry_sequence, head.entry_hash)

    async def get_end(self, scope: Scope) -> ChainEnd:
        """Return the end of the chain as it stands; raises NotFound outside a platform's scope."""
        if not isinstance(scope, PlatformScope):
            raise NotFound("there is no journal")
        head = await self._head.read()
        return ChainEnd(head.entry_sequence, head.entry_hash)

    async def append(self, added: Entry) -> None:
        """Insert the next entry; raises InvariantBroken if another one is next."""
        head = await self._head.lock()
        if added.sequence != head.entry_sequence + 1:
            raise InvariantBroken("entries are appended in order", f"expected {head.entry_sequence + 1}")
        row = {column.name: getattr(added, column.name) for column in entry.columns}
        await self._connection.change(entry.insert(), row)
        await self._head.move(replace(head, entry_sequence=added.sequence, entry_hash=added.hash))

    async def get(self, scope: Scope, entry_id: EntryId) -> Entry:
        """Return the entry; raises NotFound, also outside a platform's scope."""
        row = await self._connection.fetch_first(select(entry).where(VISIBILITY.limit(scope), entry.c.id == entry_id))
        if row is None:
            raise NotFound(f"there is no entry {entry_id}")
        return _to_entry(row)

    async def list(self, scope: Scope, after_sequence: int, limit: int) -> Sequence[Entry]:
        """Return entries in order of sequence, after the given one; an empty list outside a platform's scope."""
        statement = select(entry).where(VISIBILITY.limit(scope), entry.c.sequence > after_sequence)
        rows = await self._connection.fetch_all(statement.order_by(entry.c.sequence).limit(limit))
        return [_to_entry(row) for row in rows]


def _to_entry(row: AnyRow) -> Entry:
    return Entry(**row)
