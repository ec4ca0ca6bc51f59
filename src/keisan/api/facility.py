"""Records of facilities over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import facility as commands
from keisan.domain.errors import NotFound
from keisan.domain.facility import FacilityFilter
from keisan.domain.ids import SiteId
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.facility import (
    FACILITY_CSV,
    FacilityQuery,
    FacilityView,
    FacilityWrite,
    UploadAnswer,
    build_facility_view,
)
from keisan.wire.page import Page

DESCRIPTION = (
    "A first line of names, then a line for each site and day. All is taken, or nothing and every bad line is told. Columns: "
    + ", ".join(column.name for column in FACILITY_CSV.columns)
)

router = APIRouter(prefix="/facilities", tags=["facilities"])
site_router = APIRouter(prefix="/sites/{site_id}/facility", tags=["facilities"])


@router.get("")
async def list_facilities(caller: CallerOf, query: Annotated[FacilityQuery, Query()]) -> Page[FacilityView]:
    wanted = FacilityFilter(query.region, query.since, query.until)
    async with caller.read() as view:
        found = await view.facilities.list_filtered(caller.scope, wanted, read_page(query))
    return build_page(found, build_facility_view)


@router.post("/upload")
async def upload_facilities(
    caller: CallerOf,
    # Strict, or a JSON text would pass for lines.
    body: Annotated[bytes, Body(media_type=CSV_TYPE, strict=True, description=DESCRIPTION)],
) -> UploadAnswer:
    return await commands.upload_facilities(caller.control, caller.principal, body)


@site_router.get("")
async def get_facility(caller: CallerOf, site_id: UUID, response: Response) -> FacilityView:
    """Return the record of the last day that there is one of; raises NotFound without any."""
    async with caller.read() as view:
        await view.sites.get(caller.scope, SiteId(site_id))
        found = await view.facilities.find_latest(caller.scope, SiteId(site_id))
    if found is None:
        raise NotFound(f"the site {site_id} has no record of its facility")
    return tag_version(response, build_facility_view(found))


@site_router.put("")
async def record_facility(caller: CallerOf, site_id: UUID, body: FacilityWrite, response: Response) -> FacilityView:
    kept = await commands.record_facility(caller.control, caller.principal, SiteId(site_id), body)
    return tag_version(response, build_facility_view(kept))
