"""Disputes over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import dispute as commands
from keisan.domain.ids import DisputeId, StatementId
from keisan.wire.dispute import DisputeCreate, DisputeResolve, DisputeView, show_dispute
from keisan.wire.page import ListQuery, Page

router = APIRouter(tags=["disputes"])


@router.get("/disputes")
async def list_disputes(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[DisputeView]:
    async with caller.read() as view:
        found = await view.disputes.list(caller.scope, read_page(query))
    return build_page(found, show_dispute)


@router.get("/disputes/{dispute_id}")
async def get_dispute(caller: CallerOf, dispute_id: UUID) -> DisputeView:
    async with caller.read() as view:
        found = await view.disputes.get(caller.scope, DisputeId(dispute_id))
    return show_dispute(found)


@router.post("/statements/{statement_id}/disputes", status_code=201)
async def open_dispute(caller: CallerOf, statement_id: UUID, body: DisputeCreate) -> DisputeView:
    opened = await commands.open_dispute(caller.control, caller.principal, StatementId(statement_id), body)
    return show_dispute(opened)


@router.post("/disputes/{dispute_id}/resolve")
async def resolve_dispute(caller: CallerOf, dispute_id: UUID, body: DisputeResolve) -> DisputeView:
    resolved = await commands.resolve_dispute(caller.control, caller.principal, DisputeId(dispute_id), body)
    return show_dispute(resolved)
