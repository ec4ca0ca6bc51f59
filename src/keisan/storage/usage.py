"""Usage records, partitioned by day and unique by (day, id) (R12), and the records that were refused or suspended."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import func, select

from keisan.domain.access import Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import EntryId, MachineId, RecordId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.quarantine import QuarantineState, name_quarantined
from keisan.domain.suspense import SuspenseState
from keisan.domain.usage import PostedRecord, find_day
from keisan.domain.usage_sum import UsageFilter, UsageSum
from keisan.storage.connection import GuardedConnection
from keisan.storage.exact_sum import ExactSum
from keisan.storage.repository import Condition, Visibility, cut_page, order_page
from keisan.storage.schema import AnyRow, AnySelect, Values
from keisan.storage.usage_table import (
    CONTEXT_FIELDS,
    QUANTITY_COLUMNS,
    RECORD_COLUMNS,
    VISIBILITY,
    ContextRows,
    quarantined_record,
    read_quantities,
    suspended_record,
    to_columns,
    to_posted_records,
    usage_context,
    usage_record,
)

PLATFORM_VISIBILITY = Visibility()


class UsageRepository:
    """Inserts batches, lists and sums."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def lock_gateways(self, gateway_ids: Iterable[MachineId]) -> None:
        """Let no other transaction insert records of these gateways until this one ends."""
        await self._connection.lock_gateways(sorted(set(gateway_ids)))

    async def find_digests(self, ids: Mapping[RecordId, date]) -> Mapping[RecordId, bytes]:
        """Return the content digests of those that are stored, each looked for on its day."""
        if not ids:
            return {}
        is_wanted = usage_record.c.day.in_(sorted(set(ids.values()))) & self._connection.match_any(
            usage_record.c.id, list(ids)
        )
        rows = await self._connection.fetch_all(
            select(usage_record.c.id, usage_record.c.content_digest).where(is_wanted)
        )
        return {RecordId(row["id"]): bytes(row["content_digest"]) for row in rows}

    async def insert_many(self, posted: Sequence[PostedRecord]) -> None:
        """Insert records that are new, set-based; raises AlreadyExists if one is not, and then inserts none."""
        if not posted:
            return
        contexts = ContextRows(posted)
        columns = to_columns(posted, contexts.ids)
        await self._insert_contexts(contexts.rows)
        await self._connection.prepare_days(frozenset(each.record.day for each in posted))
        await self._connection.copy_columns(usage_record, columns)

    async def _insert_contexts(self, rows: Sequence[Values]) -> None:
        """Insert those that are not stored: nearly all are, and each that is tried costs as much as a row."""
        is_wanted = self._connection.match_any(usage_context.c.id, [row["id"] for row in rows])
        stored = await self._connection.fetch_all(select(usage_context.c.id).where(is_wanted))
        known = {row["id"] for row in stored}
        await self._connection.insert_missing(usage_context, [row for row in rows if row["id"] not in known])

    async def quarantine_many(self, codes: Mapping[bytes, str], gateway_id: MachineId, now: datetime) -> None:
        """Keep refused records' bytes, each with its code, for a person to look at; the same bytes are kept once."""
        shared = {"gateway_id": gateway_id, "created_at": now, "state": QuarantineState.QUARANTINED, "note": ""}
        rows = [
            {"digest": digest, "id": name_quarantined(digest), "text": line, "code": code} | shared
            for line, code in codes.items()
            for digest in (hashlib.sha256(line).hexdigest(),)
        ]
        await self._connection.insert_missing(quarantined_record, rows)

    async def suspend_many(self, codes: Mapping[RecordId, str], posted: Sequence[PostedRecord], now: datetime) -> None:
        """Note of each record that has a code why suspense paid for it."""
        rows = [
            {
                "record_id": record.id,
                "day": record.day,
                "platform_id": record.context.platform_id,
                "organization_id": record.context.organization_id,
                "ticket_id": record.ticket_id,
                "currency": each.charge.currency,
                "amount_nano": record.amount_nano,
                "code": codes[record.id],
                "created_at": now,
                "state": SuspenseState.SUSPENDED,
                "note": "",
            }
            for each in posted
            for record in (each.record,)
            if record.id in codes
        ]
        if rows:
            await self._connection.change(suspended_record.insert(), rows)

    async def list(self, scope: Scope, wanted: UsageFilter, page: PageRequest) -> PageOf[PostedRecord]:
        """Return a page in order of id."""
        reached = None if page.after is None else find_day(RecordId(page.after))
        left = wanted if reached is None else replace(wanted, since=max(wanted.since, reached))
        # Ids begin with their day: the same order as that of ids alone, and the key's own, so that nothing is sorted.
        statement = select_posted().where(VISIBILITY.limit(scope), *_list_conditions(left)).order_by(usage_record.c.day)
        rows = await self._connection.fetch_all(order_page(statement, usage_record.c.id, page))
        return cut_page(to_posted_records(rows), page, lambda posted: posted.record.id)

    async def get(self, scope: Scope, record_id: RecordId) -> PostedRecord:
        """Return the record; raises NotFound, also for what lies outside the scope."""
        is_wanted = (usage_record.c.day == find_day(record_id)) & (usage_record.c.id == record_id)
        row = await self._connection.fetch_first(select_posted().where(VISIBILITY.limit(scope), is_wanted))
        if row is None:
            raise NotFound(f"there is no usage record {record_id}")
        return to_posted_records([row])[0]

    async def list_entry(self, scope: Scope, entry_id: EntryId) -> Sequence[PostedRecord]:
        """Return all records of a journal entry in order of id."""
        statement = select_posted().where(VISIBILITY.limit(scope), usage_record.c.entry_id == entry_id)
        return to_posted_records(await self._connection.fetch_all(statement.order_by(usage_record.c.id)))

    async def list_entries(self, scope: Scope, entry_ids: Sequence[EntryId]) -> Sequence[PostedRecord]:
        """Return those records of several journal entries that are in scope, in no order."""
        is_wanted = self._connection.match_any(usage_record.c.entry_id, entry_ids)
        rows = await self._connection.fetch_all(select_posted().where(VISIBILITY.limit(scope), is_wanted))
        return to_posted_records(rows)

    async def find_suspended(self, scope: Scope, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        """Return of those of these records that suspense paid for why; nothing outside a platform's scope."""
        is_wanted = self._connection.match_any(suspended_record.c.record_id, ids)
        fields = select(suspended_record.c.record_id, suspended_record.c.code)
        rows = await self._connection.fetch_all(fields.where(PLATFORM_VISIBILITY.limit(scope), is_wanted))
        return {RecordId(row["record_id"]): row["code"] for row in rows}

    async def count(self, scope: Scope, after: date | None = None) -> int:
        """Return how many records there are in scope, of days after one if it is named."""
        counted = select(func.count().label("count")).select_from(usage_record).where(VISIBILITY.limit(scope))
        if after is not None:
            counted = counted.where(usage_record.c.day > after)
        row = await self._connection.fetch_first(counted)
        return 0 if row is None else int(row["count"])

    async def list_unsealed(self, scope: Scope, page: PageRequest) -> PageOf[PostedRecord]:
        """Return a page of the records in scope that were posted before there was a journal, in order of id."""
        statement = select_posted().where(VISIBILITY.limit(scope), usage_record.c.entry_id.is_(None))
        rows = await self._connection.fetch_all(order_page(statement, usage_record.c.id, page))
        return cut_page(to_posted_records(rows), page, lambda posted: posted.record.id)

    async def sum(self, scope: Scope, wanted: UsageFilter) -> Sequence[UsageSum]:
        """Return sums by model, currency and usage source, in that order."""
        groups = (usage_context.c.model_id, usage_context.c.currency, usage_record.c.usage_source)
        sums = [ExactSum(usage_record.c[name]).label(name) for name in (*QUANTITY_COLUMNS.values(), "amount_nano")]
        statement = (
            select(*groups, func.count().label("call_count"), *sums)
            .join_from(usage_record, usage_context, usage_context.c.id == usage_record.c.context_id)
            .where(VISIBILITY.limit(scope), *_list_conditions(wanted))
            .group_by(*groups)
            .order_by(*groups)
        )
        return [_to_sum(row) for row in await self._connection.fetch_all(statement)]


def select_posted() -> AnySelect:
    """Return the statement for records with their contexts."""
    shared = [usage_context.c[name] for name in (*CONTEXT_FIELDS, "currency", "chip")]
    own = [usage_record.c[name] for name in RECORD_COLUMNS if name not in CONTEXT_FIELDS]
    return select(*own, *shared).join_from(usage_record, usage_context, usage_context.c.id == usage_record.c.context_id)


def _list_conditions(wanted: UsageFilter) -> list[Condition]:
    conditions: list[Condition] = [usage_record.c.day.between(wanted.since, wanted.until)]
    narrowed = (("project_id", wanted.project_id), ("key_id", wanted.key_id), ("model_id", wanted.model_id))
    return conditions + [usage_context.c[name] == value for name, value in narrowed if value is not None]


def _to_sum(row: AnyRow) -> UsageSum:
    return UsageSum(
        model_id=row["model_id"],
        currency=row["currency"],
        usage_source=row["usage_source"],
        call_count=row["call_count"],
        quantities=read_quantities(row),
        amount_nano=row["amount_nano"],
    )
