"""Payouts over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import payout as commands
from keisan.domain.ids import PayoutId, StatementId
from keisan.wire.page import ListQuery, Page
from keisan.wire.payout import PayoutAnswer, PayoutCreate, PayoutView

router = APIRouter(tags=["payouts"])


@router.get("/payouts")
async def list_payouts(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[PayoutView]:
    async with caller.read() as view:
        found = await view.payouts.list(caller.scope, read_page(query))
    return build_page(found, PayoutView.model_validate)


@router.get("/payouts/{payout_id}")
async def get_payout(caller: CallerOf, payout_id: UUID) -> PayoutView:
    async with caller.read() as view:
        found = await view.payouts.get(caller.scope, PayoutId(payout_id))
    return PayoutView.model_validate(found)


@router.post("/statements/{statement_id}/payout")
async def create_payout(caller: CallerOf, statement_id: UUID, body: PayoutCreate) -> PayoutAnswer:
    settled = await commands.create_payout(caller.control, caller.principal, StatementId(statement_id), body)
    return PayoutAnswer.model_validate(settled)
