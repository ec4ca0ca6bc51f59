"""Suspense over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import suspense as commands
from keisan.domain.ids import RecordId
from keisan.wire.page import Page
from keisan.wire.suspense import SuspendedRecordView, SuspenseAnswer, SuspenseJudge, SuspenseQuery

router = APIRouter(prefix="/suspense", tags=["suspense"])


@router.get("")
async def list_suspense(caller: CallerOf, query: Annotated[SuspenseQuery, Query()]) -> Page[SuspendedRecordView]:
    async with caller.read() as view:
        found = await view.suspense.list(caller.scope, read_page(query), query.state)
    return build_page(found, SuspendedRecordView.model_validate)


@router.get("/{suspended_id}")
async def get_suspense(caller: CallerOf, suspended_id: UUID) -> SuspendedRecordView:
    async with caller.read() as view:
        found = await view.suspense.get(caller.scope, RecordId(suspended_id))
    return SuspendedRecordView.model_validate(found)


@router.post("/{suspended_id}/judge")
async def judge_suspense(caller: CallerOf, suspended_id: UUID, body: SuspenseJudge) -> SuspenseAnswer:
    judged = await commands.judge_suspense(caller.control, caller.principal, RecordId(suspended_id), body)
    return SuspenseAnswer.model_validate(judged)
