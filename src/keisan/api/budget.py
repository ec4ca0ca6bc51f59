"""Budgets over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import budget as commands
from keisan.domain.ids import BudgetId
from keisan.wire.budget import BudgetCreate, BudgetUpdate, BudgetView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/budgets", tags=["budgets"])


@router.get("")
async def list_budgets(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[BudgetView]:
    async with caller.read() as view:
        found = await view.budgets.list(caller.scope, read_page(query))
        shown = await commands.show_budgets(caller.control, view, caller.scope, found.items)
    return build_page(found, lambda budget: shown[budget.id])


@router.get("/{budget_id}")
async def get_budget(caller: CallerOf, budget_id: UUID, response: Response) -> BudgetView:
    async with caller.read() as view:
        found = await view.budgets.get(caller.scope, BudgetId(budget_id))
        shown = await commands.show_budgets(caller.control, view, caller.scope, [found])
    return tag_version(response, shown[found.id])


@router.post("", status_code=201)
async def create_budget(caller: CallerOf, body: BudgetCreate, response: Response) -> BudgetView:
    created = await commands.create_budget(caller.control, caller.principal, body)
    return tag_version(response, created)


@router.patch("/{budget_id}")
async def update_budget(
    caller: CallerOf, budget_id: UUID, expected_version: ExpectedVersion, body: BudgetUpdate, response: Response
) -> BudgetView:
    updated = await commands.update_budget(
        caller.control, caller.principal, BudgetId(budget_id), expected_version, body
    )
    return tag_version(response, updated)


@router.delete("/{budget_id}")
async def delete_budget(caller: CallerOf, budget_id: UUID, expected_version: ExpectedVersion) -> BudgetView:
    return await commands.delete_budget(caller.control, caller.principal, BudgetId(budget_id), expected_version)
