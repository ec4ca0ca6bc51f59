"""Quarantine over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import quarantine as commands
from keisan.domain.ids import QuarantineId
from keisan.wire.page import Page
from keisan.wire.quarantine import (
    QuarantineAnswer,
    QuarantinedRecordView,
    QuarantineJudge,
    QuarantineQuery,
    show_quarantined,
)

router = APIRouter(prefix="/quarantine", tags=["quarantine"])


@router.get("")
async def list_quarantine(caller: CallerOf, query: Annotated[QuarantineQuery, Query()]) -> Page[QuarantinedRecordView]:
    async with caller.read() as view:
        found = await view.quarantine.list(caller.scope, read_page(query), query.state)
    return build_page(found, show_quarantined)


@router.get("/{quarantined_id}")
async def get_quarantine(caller: CallerOf, quarantined_id: UUID) -> QuarantinedRecordView:
    async with caller.read() as view:
        found = await view.quarantine.get(caller.scope, QuarantineId(quarantined_id))
    return show_quarantined(found)


@router.post("/{quarantined_id}/judge")
async def judge_quarantine(caller: CallerOf, quarantined_id: UUID, body: QuarantineJudge) -> QuarantineAnswer:
    judged = await commands.judge_quarantine(caller.control, caller.principal, QuarantineId(quarantined_id), body)
    return QuarantineAnswer(outcome=judged.outcome, code=judged.code, quarantined=show_quarantined(judged.quarantined))
