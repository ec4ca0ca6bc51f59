"""Deductions over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import deduction as commands
from keisan.domain.ids import DeductionId
from keisan.wire.deduction import DeductionCreate, DeductionView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/deductions", tags=["deductions"])


@router.get("")
async def list_deductions(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[DeductionView]:
    async with caller.read() as view:
        found = await view.deductions.list(caller.scope, read_page(query))
    return build_page(found, DeductionView.model_validate)


@router.get("/{deduction_id}")
async def get_deduction(caller: CallerOf, deduction_id: UUID, response: Response) -> DeductionView:
    async with caller.read() as view:
        found = await view.deductions.get(caller.scope, DeductionId(deduction_id))
    return tag_version(response, DeductionView.model_validate(found))


@router.post("", status_code=201)
async def create_deduction(caller: CallerOf, body: DeductionCreate, response: Response) -> DeductionView:
    created = await commands.create_deduction(caller.control, caller.principal, body)
    return tag_version(response, DeductionView.model_validate(created))


@router.post("/{deduction_id}/withdraw", status_code=201)
async def withdraw_deduction(caller: CallerOf, deduction_id: UUID, response: Response) -> DeductionView:
    created = await commands.withdraw_deduction(caller.control, caller.principal, DeductionId(deduction_id))
    return tag_version(response, DeductionView.model_validate(created))
