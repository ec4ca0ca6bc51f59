"""Statements over HTTP: heads and lines, the signed document, CSV and HTML by the path's ending, and the records on one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import Caller, CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.statement_csv import write_csv
from keisan.control import statement as commands
from keisan.domain.ids import ClosingId, StatementId
from keisan.domain.page import PageOf
from keisan.domain.statement import Statement, name_period
from keisan.domain.statement_document import read_document
from keisan.ledger.statement import name_leaves
from keisan.wire.page import ListQuery, Page
from keisan.wire.statement import (
    ClosingView,
    PreviewQuery,
    SignedStatement,
    StatementClose,
    StatementDetail,
    StatementRecordView,
    StatementView,
    show_closing,
    show_content,
    show_statement,
)

router = APIRouter(prefix="/statements", tags=["statements"])
CSV_TYPE = "text/csv; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
# A page that somebody opens in a browser loads and runs nothing.
HTML_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
TEXT_SCHEMA = {"schema": {"type": "string"}}


@router.get("")
async def list_statements(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[StatementView]:
    async with caller.read() as view:
        found = await view.statements.list(caller.scope, read_page(query))
    return build_page(found, show_statement)


@router.post("/close", status_code=202)
async def close_statements(caller: CallerOf, body: StatementClose) -> ClosingView:
    return show_closing(await commands.ask_closing(caller.control, caller.principal, body))


@router.get("/closings")
async def list_closings(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[ClosingView]:
    async with caller.read() as view:
        found = await view.closings.list(caller.scope, read_page(query))
    return build_page(found, show_closing)


@router.get("/closings/{closing_id}")
async def get_closing(caller: CallerOf, closing_id: UUID) -> ClosingView:
    async with caller.read() as view:
        return show_closing(await view.closings.get(caller.scope, ClosingId(closing_id)))


@router.get("/preview")
async def draw_open_statement(caller: CallerOf, query: Annotated[PreviewQuery, Query()]) -> StatementDetail:
    content = await commands.draw_open_statement(caller.control, caller.principal, query)
    return show_content(content, None)


@router.get("/{statement_id}.json")
async def get_signed_statement(caller: CallerOf, statement_id: UUID) -> SignedStatement:
    async with caller.read() as view:
        found = await view.statements.get(caller.scope, StatementId(statement_id))
        platform = await view.platform.get()
    return SignedStatement(
        document=found.document.decode(),
        document_sha256=found.document_sha256,
        signature=found.signature.hex(),
        public_key=platform.public_key.hex(),
    )


@router.get("/{statement_id}.csv", response_class=Response, responses={200: {"content": {"text/csv": TEXT_SCHEMA}}})
async def get_statement_csv(caller: CallerOf, statement_id: UUID) -> Response:
    found = await _read_statement(caller, statement_id)
    return Response(write_csv(read_document(found.document)), media_type=CSV_TYPE, headers=_name_file(found, "csv"))


@router.get("/{statement_id}.html", response_class=Response, responses={200: {"content": {"text/html": TEXT_SCHEMA}}})
async def get_statement_html(caller: CallerOf, statement_id: UUID) -> Response:
    found = await _read_statement(caller, statement_id)
    # Templates of pages are only loaded where one is asked for: a platform starts without.
    from keisan.api.statement_html import write_html

    page = write_html(read_document(found.document), found.document_sha256)
    return Response(page, media_type=HTML_TYPE, headers=HTML_HEADERS)


@router.get("/{statement_id}")
async def get_statement(caller: CallerOf, statement_id: UUID) -> StatementDetail:
    found = await _read_statement(caller, statement_id)
    return show_content(read_document(found.document), found.document_sha256)


@router.get("/{statement_id}/records")
async def list_statement_records(
    caller: CallerOf, statement_id: UUID, query: Annotated[ListQuery, Query()]
) -> Page[StatementRecordView]:
    async with caller.read() as view:
        found = await view.statements.get(caller.scope, StatementId(statement_id))
        records = await view.statement_records.list(caller.scope, found.span, read_page(query))
    leaves = PageOf(tuple(name_leaves(records.items)), records.next_after)
    return build_page(leaves, lambda named: StatementRecordView(id=named[0], leaf=named[1]))


async def _read_statement(caller: Caller, statement_id: UUID) -> Statement:
    async with caller.read() as view:
        return await view.statements.get(caller.scope, StatementId(statement_id))


def _name_file(statement: Statement, ending: str) -> dict[str, str]:
    name = f"statement-{name_period(statement.period)}-{statement.holder.currency}.{ending}"
    return {"content-disposition": f'attachment; filename="{name}"'}
