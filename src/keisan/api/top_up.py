"""Top-ups of an organization's wallet over HTTP, and what another admin says of them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import top_up as commands
from keisan.domain.ids import EntryId, OrganizationId
from keisan.wire.page import ListQuery, Page
from keisan.wire.top_up import TopUpCreate, TopUpView

router = APIRouter(prefix="/organizations", tags=["organizations"])
decision_router = APIRouter(prefix="/top-ups", tags=["top-ups"])


@router.post("/{organization_id}/top-ups", status_code=201)
async def create_top_up(caller: CallerOf, organization_id: UUID, body: TopUpCreate) -> TopUpView:
    created = await commands.create_top_up(caller.control, caller.principal, OrganizationId(organization_id), body)
    return TopUpView.model_validate(created)


@decision_router.get("")
async def list_top_ups(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[TopUpView]:
    async with caller.read() as view:
        found = await view.top_ups.list(caller.scope, read_page(query))
    return build_page(found, TopUpView.model_validate)


@decision_router.get("/{top_up_id}")
async def get_top_up(caller: CallerOf, top_up_id: UUID, response: Response) -> TopUpView:
    async with caller.read() as view:
        found = await view.top_ups.get(caller.scope, EntryId(top_up_id))
    return tag_version(response, TopUpView.model_validate(found))


@decision_router.post("/{top_up_id}/approve")
async def approve_top_up(caller: CallerOf, top_up_id: UUID, response: Response) -> TopUpView:
    approved = await commands.approve_top_up(caller.control, caller.principal, EntryId(top_up_id))
    return tag_version(response, TopUpView.model_validate(approved))


@decision_router.post("/{top_up_id}/reject")
async def reject_top_up(caller: CallerOf, top_up_id: UUID, response: Response) -> TopUpView:
    rejected = await commands.reject_top_up(caller.control, caller.principal, EntryId(top_up_id))
    return tag_version(response, TopUpView.model_validate(rejected))
