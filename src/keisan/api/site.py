"""Sites over HTTP, and the report of a site's agent."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import site as commands
from keisan.control.report import accept_report
from keisan.domain.ids import SiteId
from keisan.wire.page import ListQuery, Page
from keisan.wire.site import SiteCreate, SiteOrders, SiteReport, SiteView

router = APIRouter(prefix="/sites", tags=["sites"])
report_router = APIRouter(prefix="/site", tags=["machine exchanges"])


@router.get("")
async def list_sites(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[SiteView]:
    async with caller.read() as view:
        found = await view.sites.list(caller.scope, read_page(query))
    return build_page(found, SiteView.model_validate)


@router.get("/{site_id}")
async def get_site(caller: CallerOf, site_id: UUID, response: Response) -> SiteView:
    async with caller.read() as view:
        found = await view.sites.get(caller.scope, SiteId(site_id))
    return tag_version(response, SiteView.model_validate(found))


@router.post("", status_code=201)
async def create_site(caller: CallerOf, body: SiteCreate, response: Response) -> SiteView:
    created = await commands.create_site(caller.control, caller.principal, body)
    return tag_version(response, SiteView.model_validate(created))


@report_router.post("/report")
async def report_site(caller: CallerOf, body: SiteReport) -> SiteOrders:
    return await accept_report(caller.control, caller.principal, body)
