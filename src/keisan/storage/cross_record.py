"""Records of calls that crossed platforms and their batches: leaves and headers byte for byte, by author."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Index, LargeBinary, PrimaryKeyConstraint, Table, Text, func, select, update

from keisan.domain.access import Scope
from keisan.domain.cross_record import CrossBatch, CrossRecord, CrossState, LeafMark, RecordEnd
from keisan.domain.ids import PlatformId, RecordId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.settlement import CrossSum, SettlementKey
from keisan.storage.connection import GuardedConnection
from keisan.storage.exact_sum import ExactSum
from keisan.storage.repository import (
    PARAMETERS_PER_STATEMENT_MAX,
    Condition,
    Visibility,
    cut_page,
    order_page,
    split_chunks,
)
from keisan.storage.schema import AnyRow, EnumText, ExactInteger, Instant, build_column, build_id, metadata
from keisan.wire.cross_leaf import read_cross_leaf
from keisan.wire.settlement_text import read_batch

VISIBILITY = Visibility()

cross_record = Table(
    "cross_record",
    metadata,
    build_column("author", Text()),
    build_id("record_id"),
    build_column("audience", Text()),
    build_column("end", EnumText(RecordEnd)),
    build_column("period", Text()),
    build_column("leaf", LargeBinary()),
    build_column("leaf_hash", LargeBinary()),
    build_id("batch_id", is_nullable=True),
    build_column("state", EnumText(CrossState)),
    build_column("code", Text()),
    build_column("currency", Text()),
    build_column("amount_nano", ExactInteger()),
    build_column("created_at", Instant()),
    PrimaryKeyConstraint("author", "record_id"),
    Index(None, "record_id"),
    Index(None, "batch_id"),
    Index(None, "author", "audience", "period", "record_id"),
)

cross_batch = Table(
    "cross_batch",
    metadata,
    build_id("id", is_primary=True),
    build_column("content", LargeBinary()),
    build_column("signature", LargeBinary()),
    build_column("public_key", LargeBinary()),
    build_column("countersignature", LargeBinary(), is_nullable=True),
    build_column("counter_key", LargeBinary(), is_nullable=True),
)


class CrossRecordRepository:
    """Records of both ends."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def insert(self, record: CrossRecord) -> bool:
        """Keep a record and tell whether it is new; one of its author and id that is kept already stays as it is."""
        return await self._connection.insert_or_ignore(cross_record, _to_row(record))

    async def insert_missing(self, records: Sequence[CrossRecord]) -> None:
        """Keep those that are new, as insert does."""
        await self._connection.insert_missing(cross_record, [_to_row(record) for record in records])

    async def list_ends(self, scope: Scope, record_ids: Iterable[RecordId]) -> Sequence[CrossRecord]:
        """Return what both ends say of calls, in order of record id, home's first."""
        found: list[CrossRecord] = []
        for chunk in split_chunks(sorted(set(record_ids)), PARAMETERS_PER_STATEMENT_MAX):
            is_wanted = self._connection.match_any(cross_record.c.record_id, chunk)
            found += await self._list(VISIBILITY.limit(scope), is_wanted)
        return found

    async def list_waiting(
        self, scope: Scope, author: PlatformId, audience: PlatformId, limit: int
    ) -> Sequence[CrossRecord]:
        """Return an author's oldest records for one audience that are in no batch, in order of record id."""
        wanted = select(cross_record).where(VISIBILITY.limit(scope), _wait(author), cross_record.c.audience == audience)
        rows = await self._connection.fetch_all(wanted.order_by(cross_record.c.record_id).limit(limit))
        return [_to_record(row) for row in rows]

    async def list_waiting_audiences(self, scope: Scope, author: PlatformId) -> Sequence[PlatformId]:
        """Return for whom an author's records wait, in order."""
        wanted = select(cross_record.c.audience).where(VISIBILITY.limit(scope), _wait(author)).distinct()
        rows = await self._connection.fetch_all(wanted.order_by(cross_record.c.audience))
        return [row["audience"] for row in rows]

    async def enter_batch(
        self, author: PlatformId, record_ids: Sequence[RecordId], batch_id: UUID, period: str
    ) -> None:
        """Note that records that wait are told by a batch, and in which settlement they are."""
        for chunk in split_chunks(record_ids, PARAMETERS_PER_STATEMENT_MAX // 2):
            is_wanted = self._connection.match_any(cross_record.c.record_id, chunk)
            values = {"batch_id": batch_id, "period": period}
            await self._connection.change(update(cross_record).where(_wait(author), is_wanted).values(values))

    async def judge(self, author: PlatformId, record_id: RecordId, state: CrossState, code: str) -> None:
        """Write what is held of a record."""
        is_wanted = (cross_record.c.author == author) & (cross_record.c.record_id == record_id)
        await self._connection.change(update(cross_record).where(is_wanted).values(state=state, code=code))

    async def list_batch(self, scope: Scope, batch_id: UUID) -> Sequence[CrossRecord]:
        """Return a batch's records in order of record id."""
        return await self._list(VISIBILITY.limit(scope), cross_record.c.batch_id == batch_id)

    async def list_page(self, scope: Scope, key: SettlementKey, page: PageRequest) -> PageOf[CrossRecord]:
        """Return a page of a settlement's records that are in batches, in order of record id."""
        wanted = select(cross_record).where(VISIBILITY.limit(scope), *_match(key))
        rows = await self._connection.fetch_all(order_page(wanted, cross_record.c.record_id, page))
        return cut_page([_to_record(row) for row in rows], page, lambda record: record.usage.record_id)

    async def list_marks(self, scope: Scope, key: SettlementKey) -> Sequence[LeafMark]:
        """Return the leaves of a settlement's records that are in batches."""
        wanted = select(cross_record.c.record_id, cross_record.c.leaf_hash)
        rows = await self._connection.fetch_all(wanted.where(VISIBILITY.limit(scope), *_match(key)))
        return [LeafMark(row["record_id"], row["leaf_hash"]) for row in rows]

    async def sum(self, scope: Scope, key: SettlementKey) -> Sequence[CrossSum]:
        """Return what they come to, in order of end, state and currency."""
        groups = [cross_record.c[name] for name in ("end", "state", "currency")]
        amount = ExactSum(cross_record.c.amount_nano).label("amount_nano")
        wanted = select(*groups, func.count().label("record_count"), amount)
        wanted = wanted.where(VISIBILITY.limit(scope), *_match(key)).group_by(*groups).order_by(*groups)
        return [CrossSum(**row) for row in await self._connection.fetch_all(wanted)]

    async def _list(self, *conditions: Condition) -> Sequence[CrossRecord]:
        order = (cross_record.c.record_id, cross_record.c.end)
        rows = await self._connection.fetch_all(select(cross_record).where(*conditions).order_by(*order))
        return [_to_record(row) for row in rows]


class CrossBatchRepository:
    """Signed batches."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def insert(self, batch: CrossBatch) -> bool:
        """Keep a batch and tell whether it is new."""
        names = ("content", "signature", "public_key", "countersignature", "counter_key")
        row = {"id": batch.header.id} | {name: getattr(batch, name) for name in names}
        return await self._connection.insert_or_ignore(cross_batch, row)

    async def find(self, scope: Scope, batch_id: UUID) -> CrossBatch | None:
        """Return a batch."""
        wanted = select(cross_batch).where(VISIBILITY.limit(scope), cross_batch.c.id == batch_id)
        row = await self._connection.fetch_first(wanted)
        if row is None:
            return None
        return CrossBatch(read_batch(row["content"]), **{name: value for name, value in row.items() if name != "id"})

    async def add_countersignature(self, batch_id: UUID, signature: bytes, public_key: bytes) -> None:
        """Keep the other side's signature, if there is none yet."""
        is_wanted = (cross_batch.c.id == batch_id) & cross_batch.c.countersignature.is_(None)
        values = {"countersignature": signature, "counter_key": public_key}
        await self._connection.change(update(cross_batch).where(is_wanted).values(values))


def _wait(author: PlatformId) -> Condition:
    return (cross_record.c.author == author) & cross_record.c.batch_id.is_(None)


def _match(key: SettlementKey) -> list[Condition]:
    """Return the conditions of a settlement's records; what waits for its batch is in none yet."""
    is_own = [cross_record.c[name] == getattr(key, name) for name in ("author", "audience", "period")]
    return [*is_own, cross_record.c.batch_id.is_not(None)]


def _to_row(record: CrossRecord) -> dict[str, object]:
    usage = record.usage
    own = {name: getattr(usage, name) for name in ("author", "audience", "record_id", "end", "currency", "amount_nano")}
    names = ("period", "leaf", "leaf_hash", "batch_id", "state", "code", "created_at")
    return own | {name: getattr(record, name) for name in names}


def _to_record(row: AnyRow) -> CrossRecord:
    names = ("leaf", "leaf_hash", "period", "batch_id", "state", "code", "created_at")
    return CrossRecord(usage=read_cross_leaf(row["leaf"]), **{name: row[name] for name in names})
