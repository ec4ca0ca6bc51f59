"""Usage records, partitioned by day and unique by (day, id) (R12), and the records that were refused.

Quantities have a column per token class, null where the record names none, so that sums are exact and made in SQL.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    select,
)

from keisan.domain.access import Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import MachineId, RecordId
from keisan.domain.model import Surface
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, SuspendedRecord, UsageRecord, UsageSource
from keisan.domain.usage_sum import UsageFilter, UsageSum
from keisan.storage.connection import GuardedConnection
from keisan.storage.exact_sum import ExactSum
from keisan.storage.price import price
from keisan.storage.repository import (
    PARAMETERS_PER_STATEMENT_MAX,
    Condition,
    Visibility,
    cut_page,
    limit_to_owner,
    order_page,
    split_chunks,
)
from keisan.storage.schema import AnyRow, EnumText, ExactInteger, Instant, build_column, build_id, metadata

QUANTITY_COLUMNS = {token_class: f"{token_class}_tokens" for token_class in TokenClass}

usage_record = Table(
    "usage_record",
    metadata,
    build_column("day", Date()),
    build_id("id"),
    build_column("platform_id", Text()),
    # Without foreign keys: a record may come from another platform, and each key would cost a look-up per record.
    build_id("gateway_id"),
    build_id("organization_id"),
    build_id("project_id"),
    build_id("key_id"),
    build_id("model_id"),
    build_id("price_id"),
    build_id("deployment_id"),
    build_id("replica_id"),
    build_id("provider_id"),
    build_id("site_id"),
    build_column("model_digest", Text()),
    build_column("surface", EnumText(Surface)),
    build_column("is_stream", Boolean()),
    build_column("admitted_at", Instant()),
    build_column("duration_us", BigInteger()),
    build_column("first_byte_us", BigInteger(), is_nullable=True),
    build_column("outcome", EnumText(CallOutcome)),
    build_column("http_status", BigInteger()),
    build_column("usage_source", EnumText(UsageSource)),
    *(build_column(name, BigInteger(), is_nullable=True) for name in QUANTITY_COLUMNS.values()),
    build_column("amount_nano", ExactInteger()),
    build_column("request_bytes", BigInteger()),
    build_column("response_bytes", BigInteger()),
    build_column("event_count", BigInteger()),
    build_id("ticket_id", is_nullable=True),
    build_column("content_digest", Text()),
    PrimaryKeyConstraint("day", "id"),
    # SQLite compares the text with '0', before which '-' sorts.
    CheckConstraint("amount_nano >= 0", "amount_not_negative"),
    # The same id on another day must be found, whatever the partition.
    Index(None, "id"),
    Index(None, "organization_id", "day"),
    Index(None, "provider_id", "day"),
    postgresql_partition_by="RANGE (day)",
)

quarantined_record = Table(
    "quarantined_record",
    metadata,
    build_column("digest", Text()),
    # As bytes: what was refused may hold characters that a database does not take as text.
    build_column("text", LargeBinary()),
    build_column("code", Text()),
    build_id("gateway_id"),
    build_column("created_at", Instant()),
    PrimaryKeyConstraint("digest"),
)

# Records that suspense paid for in place of a wallet, and why: the platform's loss until a person has looked.
suspended_record = Table(
    "suspended_record",
    metadata,
    build_id("record_id", is_primary=True),
    build_column("day", Date()),
    build_column("platform_id", Text()),
    build_id("organization_id"),
    build_id("ticket_id", is_nullable=True),
    build_column("amount_nano", ExactInteger()),
    build_column("code", Text()),
    build_column("created_at", Instant()),
)

FIELD_NAMES = tuple(c.name for c in usage_record.columns if c.name not in QUANTITY_COLUMNS.values())
_read_fields = attrgetter(*FIELD_NAMES)
VISIBILITY = Visibility(
    organization=limit_to_owner(usage_record.c.organization_id), provider=limit_to_owner(usage_record.c.provider_id)
)
PLATFORM_VISIBILITY = Visibility()


class UsageRepository:
    """Inserts batches, lists and sums."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find_many(self, ids: Iterable[RecordId]) -> Mapping[RecordId, tuple[UsageRecord, ...]]:
        """Return what is stored under these ids, on any day."""
        found: dict[RecordId, tuple[UsageRecord, ...]] = {}
        for chunk in split_chunks(sorted(set(ids)), PARAMETERS_PER_STATEMENT_MAX):
            statement = select(usage_record).where(usage_record.c.id.in_(chunk))
            for row in await self._connection.fetch_all(statement.order_by(usage_record.c.day)):
                record = _to_record(row)
                found[record.id] = (*found.get(record.id, ()), record)
        return found

    async def insert_many(self, records: Sequence[UsageRecord]) -> frozenset[RecordId]:
        """Insert those whose id is new, on whatever day, and return their ids; the others are left as they are."""
        if not records:
            return frozenset()
        first = {record.id: record for record in reversed(records)}
        # A gateway makes its ids, so with its lock held nobody else inserts the same id for another day.
        await self._connection.lock_gateways(sorted({record.gateway_id for record in first.values()}))
        taken = await self._list_taken(first)
        new = [record for record_id, record in first.items() if record_id not in taken]
        if not new:
            return frozenset()
        await self._connection.prepare_days(frozenset(record.day for record in new))
        inserted = await self._connection.insert_new(usage_record, [_to_row(record) for record in new])
        return frozenset(RecordId(record_id) for record_id in inserted)

    async def quarantine_many(self, codes: Mapping[bytes, str], gateway_id: MachineId, now: datetime) -> None:
        """Keep refused records' bytes, each with its code, for a person to look at; the same bytes are kept once."""
        shared = {"gateway_id": gateway_id, "created_at": now}
        rows = [
            {"digest": hashlib.sha256(line).hexdigest(), "text": line, "code": code} | shared
            for line, code in codes.items()
        ]
        await self._connection.insert_missing(quarantined_record, rows)

    async def count_quarantined(self, scope: Scope) -> int:
        """Return how many records are quarantined; 0 outside a platform's scope."""
        counted = (
            select(func.count().label("count")).select_from(quarantined_record).where(PLATFORM_VISIBILITY.limit(scope))
        )
        row = await self._connection.fetch_first(counted)
        return 0 if row is None else int(row["count"])

    async def suspend_many(self, codes: Mapping[RecordId, str], records: Sequence[UsageRecord], now: datetime) -> None:
        """Note of each record that has a code why suspense paid for it."""
        copied = ("day", "platform_id", "organization_id", "ticket_id", "amount_nano")
        rows = [
            {"record_id": record.id, "code": codes[record.id], "created_at": now}
            | {name: getattr(record, name) for name in copied}
            for record in records
            if record.id in codes
        ]
        if rows:
            await self._connection.change(suspended_record.insert(), rows)

    async def list_suspended(self, scope: Scope, page: PageRequest) -> PageOf[SuspendedRecord]:
        """Return a page in order of record; nothing outside a platform's scope."""
        statement = select(suspended_record).where(PLATFORM_VISIBILITY.limit(scope))
        rows = await self._connection.fetch_all(order_page(statement, suspended_record.c.record_id, page))
        return cut_page([SuspendedRecord(**row) for row in rows], page, lambda suspended: suspended.record_id)

    async def list(self, scope: Scope, wanted: UsageFilter, page: PageRequest) -> PageOf[UsageRecord]:
        """Return a page in order of id."""
        statement = select(usage_record).where(VISIBILITY.limit(scope), *_list_conditions(wanted))
        rows = await self._connection.fetch_all(order_page(statement, usage_record.c.id, page))
        return cut_page([_to_record(row) for row in rows], page, lambda record: record.id)

    async def get(self, scope: Scope, record_id: RecordId) -> UsageRecord:
        """Return the record; raises NotFound, also for what lies outside the scope."""
        statement = select(usage_record).where(VISIBILITY.limit(scope), usage_record.c.id == record_id)
        row = await self._connection.fetch_first(statement)
        if row is None:
            raise NotFound(f"there is no usage record {record_id}")
        return _to_record(row)

    async def sum(self, scope: Scope, wanted: UsageFilter) -> Sequence[UsageSum]:
        """Return sums by model, currency and usage source, in that order."""
        groups = (usage_record.c.model_id, price.c.currency, usage_record.c.usage_source)
        sums = [ExactSum(usage_record.c[name]).label(name) for name in (*QUANTITY_COLUMNS.values(), "amount_nano")]
        statement = (
            select(*groups, func.count().label("call_count"), *sums)
            .join(price, price.c.id == usage_record.c.price_id)
            .where(VISIBILITY.limit(scope), *_list_conditions(wanted))
            .group_by(*groups)
            .order_by(*groups)
        )
        return [_to_sum(row) for row in await self._connection.fetch_all(statement)]

    async def _list_taken(self, ids: Iterable[RecordId]) -> set[UUID]:
        taken: set[UUID] = set()
        for chunk in split_chunks(sorted(ids), PARAMETERS_PER_STATEMENT_MAX):
            statement = select(usage_record.c.id).where(usage_record.c.id.in_(chunk))
            taken |= {row["id"] for row in await self._connection.fetch_all(statement)}
        return taken


def _list_conditions(wanted: UsageFilter) -> list[Condition]:
    conditions: list[Condition] = [usage_record.c.day.between(wanted.since, wanted.until)]
    narrowed = (("project_id", wanted.project_id), ("key_id", wanted.key_id), ("model_id", wanted.model_id))
    return conditions + [usage_record.c[name] == value for name, value in narrowed if value is not None]


def _to_row(record: UsageRecord) -> dict[str, object]:
    row: dict[str, object] = dict(zip(FIELD_NAMES, _read_fields(record), strict=True))
    for token_class, name in QUANTITY_COLUMNS.items():
        row[name] = record.quantities.get(token_class)
    return row


def _read_quantities(row: AnyRow) -> dict[TokenClass, int]:
    stored = ((token_class, row[name]) for token_class, name in QUANTITY_COLUMNS.items())
    return {token_class: int(count) for token_class, count in stored if count is not None}


def _to_record(row: AnyRow) -> UsageRecord:
    return UsageRecord(quantities=_read_quantities(row), **{name: row[name] for name in FIELD_NAMES})


def _to_sum(row: AnyRow) -> UsageSum:
    return UsageSum(
        model_id=row["model_id"],
        currency=row["currency"],
        usage_source=row["usage_source"],
        call_count=row["call_count"],
        quantities=_read_quantities(row),
        amount_nano=row["amount_nano"],
    )
