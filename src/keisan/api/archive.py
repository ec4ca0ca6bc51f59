"""The archive over HTTP: usage summed by any keys, and exported, within the asker's scope."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from keisan.api.context import Caller, CallerOf
from keisan.api.usage import choose_days
from keisan.domain.access import Scope
from keisan.domain.archive import AnalysisKey, AnalysisLine, ExportFormat
from keisan.domain.ids import KeyId, ModelId, OrganizationId, ProjectId
from keisan.storage.base import Transaction
from keisan.storage.base_archive import ArchiveSelection
from keisan.wire.archive import (
    CURRENT_HEADER,
    REACHED_HEADER,
    SEQUENCE_HEADER,
    AnalysisLineView,
    AnalysisQuery,
    ArchiveReach,
    DaysQuery,
    ExportQuery,
    UsageAnalysis,
    parse_keys,
)

MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv",
    ExportFormat.JSONL: "application/jsonl",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}

router = APIRouter(prefix="/usage", tags=["usage"])


@router.get("/analysis")
async def analyse_usage(caller: CallerOf, query: Annotated[AnalysisQuery, Query()]) -> UsageAnalysis:
    keys = parse_keys(query.by)
    selection, reach = await _select(caller, query)
    lines = await caller.control.get_archive().sum(selection, keys)
    async with caller.read() as view:
        names = await _find_names(view, caller.scope, lines)
    return UsageAnalysis(
        since=selection.since,
        until=selection.until,
        by=tuple(keys),
        reach=reach,
        names=names,
        lines=tuple(
            AnalysisLineView(
                group=dict(line.group),
                currency=line.currency,
                call_count=line.call_count,
                quantities=dict(line.quantities),
                amount_nano=line.amount_nano,
            )
            for line in lines
        ),
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"description": "The records", "content": {each: {} for each in MEDIA_TYPES.values()}}},
)
async def export_usage(caller: CallerOf, query: Annotated[ExportQuery, Query()]) -> StreamingResponse:
    selection, reach = await _select(caller, query)
    pieces = caller.control.get_archive().export(selection, query.format)
    # A refusal comes with the first piece, while there still can be one.
    first = await anext(pieces, b"")
    headers = {
        SEQUENCE_HEADER: str(reach.sequence),
        REACHED_HEADER: reach.reached_at.isoformat() if reach.reached_at else "",
        CURRENT_HEADER: str(reach.is_current).lower(),
    }
    return StreamingResponse(_chain(first, pieces), headers=headers, media_type=MEDIA_TYPES[query.format])


async def _chain(first: bytes, pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    # An asker that goes away midway frees its place among the exports at once.
    async with aclosing(pieces):
        yield first
        async for piece in pieces:
            yield piece


async def _select(caller: Caller, query: DaysQuery) -> tuple[ArchiveSelection, ArchiveReach]:
    """Return what the query asks for, of the files that one view lists, and how far these reach."""
    now = caller.control.clock.now()
    since, until = choose_days(query.since, query.until, now.date())
    async with caller.read() as view:
        cursor = await view.archive.get_cursor()
        has_newer = await view.archive.has_pending_records(cursor.last_sequence)
        has_older = not cursor.is_before_done and bool(await view.archive.list_before(caller.scope, cursor, 1))
        files = await view.archive.list_files(since, until)
    reached_at = cursor.reached_at
    age_s = 0 if not has_newer or reached_at is None else max(0, int((now - reached_at).total_seconds()))
    is_current = not has_newer and not has_older
    reach = ArchiveReach(sequence=cursor.last_sequence, reached_at=reached_at, is_current=is_current, age_s=age_s)
    return ArchiveSelection(caller.scope, files, since, until), reach


async def _find_names(view: Transaction, scope: Scope, lines: Sequence[AnalysisLine]) -> dict[str, str]:
    """Return names of what lines are grouped by, as far as the scope shows them."""
    ids = {key: {line.group[key] for line in lines} for key in (lines[0].group if lines else ())}

    def read_ids(key: AnalysisKey) -> set[str]:
        return ids.get(key, set())

    organizations = await view.organizations.list_by_ids(
        scope, [OrganizationId(UUID(each)) for each in read_ids(AnalysisKey.ORGANIZATION)]
    )
    projects = await view.projects.list_by_ids(scope, [ProjectId(UUID(each)) for each in read_ids(AnalysisKey.PROJECT)])
    keys = await view.keys.list_by_ids(scope, [KeyId(UUID(each)) for each in read_ids(AnalysisKey.KEY)])
    models = await view.models.list_by_ids(scope, [ModelId(UUID(each)) for each in read_ids(AnalysisKey.MODEL)])
    owners = {str(each.id): each.name for each in organizations} | {str(each.id): each.name for each in projects}
    callers = {str(each.id): each.name for each in keys}
    return owners | callers | {str(each.id): each.facts.name for each in models}
