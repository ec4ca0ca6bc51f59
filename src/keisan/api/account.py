"""Accounts over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.domain.ids import AccountId
from keisan.wire.account import AccountView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/accounts", tags=["accounts"])


@router.get("")
async def list_accounts(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[AccountView]:
    async with caller.read() as view:
        found = await view.accounts.list(caller.scope, read_page(query))
    return build_page(found, AccountView.model_validate)


@router.get("/{account_id}")
async def get_account(caller: CallerOf, account_id: UUID) -> AccountView:
    async with caller.read() as view:
        found = await view.accounts.get(caller.scope, AccountId(account_id))
    return AccountView.model_validate(found)
