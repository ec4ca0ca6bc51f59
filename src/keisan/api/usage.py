"""Usage over HTTP: records, and their sums by model, currency and source."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import KeyId, ModelId, ProjectId, RecordId
from keisan.domain.usage_sum import UsageFilter
from keisan.ledger.receipt import find_receipt
from keisan.ledger.record_source import open_records
from keisan.wire.page import Page
from keisan.wire.receipt import ReceiptView, show_receipt
from keisan.wire.usage import RecordQuery, UsageLine, UsageQuery, UsageRecordView, UsageSummary, show_record

DAYS_DEFAULT = 30

router = APIRouter(prefix="/usage", tags=["usage"])


@router.get("")
async def list_usage(caller: CallerOf, query: Annotated[RecordQuery, Query()]) -> Page[UsageRecordView]:
    wanted = _build_filter(query, caller.control.clock.now().date())
    async with caller.read() as view:
        source = await open_records(view, caller.control.archive)
        source.require_stored(wanted)
        found = await view.usage.list(caller.scope, wanted, read_page(query))
    return build_page(found, show_record)


@router.get("/summary")
async def sum_usage(caller: CallerOf, query: Annotated[UsageQuery, Query()]) -> UsageSummary:
    wanted = _build_filter(query, caller.control.clock.now().date())
    async with caller.read() as view:
        source = await open_records(view, caller.control.archive)
        sums = await source.sum(caller.scope, wanted)
        models = await view.models.list_by_ids(caller.scope, {line.model_id for line in sums})
    names = {model.id: model.facts.name for model in models}
    lines = tuple(
        UsageLine(
            model_id=line.model_id,
            model_name=names.get(line.model_id, ""),
            currency=line.currency,
            usage_source=line.usage_source,
            call_count=line.call_count,
            quantities=dict(line.quantities),
            amount_nano=line.amount_nano,
        )
        for line in sums
    )
    return UsageSummary(since=wanted.since, until=wanted.until, lines=lines)


@router.get("/{record_id}/receipt")
async def get_receipt(caller: CallerOf, record_id: UUID) -> ReceiptView:
    async with caller.read() as view:
        source = await open_records(view, caller.control.archive)
        receipt = await find_receipt(source, caller.scope, RecordId(record_id))
    return show_receipt(receipt)


@router.get("/{record_id}")
async def get_usage(caller: CallerOf, record_id: UUID) -> UsageRecordView:
    async with caller.read() as view:
        source = await open_records(view, caller.control.archive)
        found = await source.get(caller.scope, RecordId(record_id))
    return show_record(found)


def _build_filter(query: UsageQuery, today: date) -> UsageFilter:
    since, until = choose_days(query.since, query.until, today)
    return UsageFilter(
        since=since,
        until=until,
        project_id=ProjectId(query.project_id) if query.project_id else None,
        key_id=KeyId(query.key_id) if query.key_id else None,
        model_id=ModelId(query.model_id) if query.model_id else None,
    )


def choose_days(since: date | None, until: date | None, today: date) -> tuple[date, date]:
    """Return the first and the last day of a query, by default the last DAYS_DEFAULT; raises InvalidInput."""
    last = until or today
    first = since or last - timedelta(days=min(DAYS_DEFAULT - 1, (last - date.min).days))
    if first > last:
        raise InvalidInput(f"since ({first}) lies after until ({last})", "since")
    return first, last
