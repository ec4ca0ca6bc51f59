"""History over HTTP: what devices and all above them were, within the asker's scope, as JSON or Arrow."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import pyarrow as pa
from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf, ContextOf
from keisan.control.history import ToldAnswer
from keisan.domain.errors import InvalidInput
from keisan.domain.history import MS_PER_S
from keisan.domain.history_question import HistoryQuestion
from keisan.domain.ids import SiteId
from keisan.kit.clock import from_milliseconds, to_milliseconds
from keisan.wire.arrow import ARROW_TYPE, HEAD_KEY
from keisan.wire.history import HistoryFormat, HistoryHead, HistoryQuery, HistoryRows, parse_fields

RANGE_DEFAULT = timedelta(hours=1)

router = APIRouter(prefix="/telemetry", tags=["telemetry"])


@router.get(
    "/query",
    response_model=HistoryRows,
    responses={200: {"description": "The rows", "content": {ARROW_TYPE: {}}}},
)
async def query_history(caller: CallerOf, context: ContextOf, query: Annotated[HistoryQuery, Query()]) -> Response:
    question = build_question(query, caller.control.clock.now())
    told = await context.get_history().ask(caller.principal, question)
    # Tens of thousands of rows take a while to be written.
    body = await asyncio.to_thread(write_json if query.format is HistoryFormat.JSON else write_arrow, told)
    return Response(body, media_type="application/json" if query.format is HistoryFormat.JSON else ARROW_TYPE)


def build_question(query: HistoryQuery, now: datetime) -> HistoryQuestion:
    """Return the question of a query; raises InvalidInput for a time without a zone, or fields that there are not."""
    until = now if query.until is None else _check_zone(query.until, "until")
    since = until - RANGE_DEFAULT if query.since is None else _check_zone(query.since, "since")
    return HistoryQuestion(
        parse_fields(query.fields),
        query.by,
        to_milliseconds(since),
        to_milliseconds(until),
        None if query.step_s is None else query.step_s * MS_PER_S,
        None if query.region is None else (query.region,),
        None if query.site_id is None else (SiteId(query.site_id),),
        query.node,
        query.device,
        query.supernode,
    )


def _check_zone(instant: datetime, field: str) -> datetime:
    if instant.tzinfo is None:
        raise InvalidInput("expected a time with its zone, as 2026-11-26T08:00:00Z", field)
    return instant.astimezone(UTC)


def describe_head(told: ToldAnswer) -> HistoryHead:
    """Return what rows are of."""
    answer = told.answer
    has_sites = "site" in answer.rows.column_names
    shown = set(answer.rows["site"].unique().to_pylist()) if has_sites else set()
    return HistoryHead(
        since=from_milliseconds(answer.plan.since_ms),
        until=from_milliseconds(answer.plan.until_ms),
        step_s=answer.plan.step_ms // MS_PER_S,
        tier=answer.plan.tier,
        device_count=answer.device_count,
        coverage_permille=answer.coverage_permille,
        reached_at=None if answer.reached_ms is None else from_milliseconds(answer.reached_ms),
        age_ms=answer.age_ms,
        taken_at=from_milliseconds(answer.taken_ms),
        site_names={site: name for site, name in told.site_names.items() if str(site) in shown},
    )


def write_json(told: ToldAnswer) -> bytes:
    """Return HistoryRows as JSON."""
    rows = told.answer.rows
    columns = [column.to_pylist() for column in rows.columns]
    cells = list(zip(*columns, strict=True))
    return msgspec.json.encode(
        describe_head(told).model_dump(mode="json") | {"columns": rows.column_names, "rows": cells}
    )


def write_arrow(told: ToldAnswer) -> bytes:
    """Return the rows as an Arrow stream, with the head in its schema's metadata."""
    rows: pa.Table = told.answer.rows.replace_schema_metadata(
        {HEAD_KEY: msgspec.json.encode(describe_head(told).model_dump(mode="json"))}
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    body: bytes = sink.getvalue().to_pybytes()
    return body
