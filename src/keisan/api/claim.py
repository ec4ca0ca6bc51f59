"""Claims over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import claim as commands
from keisan.domain.ids import ClaimId, SiteId
from keisan.wire.claim import CLAIM_CSV, ClaimView, ClaimWrite, build_claim_view
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.facility import UploadAnswer
from keisan.wire.page import ListQuery, Page

DESCRIPTION = (
    "A first line of names, then a line for each site and chip; claims that no line names stay. All is taken, or nothing and "
    "every bad line is told. Columns: " + ", ".join(column.name for column in CLAIM_CSV.columns)
)

router = APIRouter(prefix="/claims", tags=["claims"])
site_router = APIRouter(prefix="/sites/{site_id}/claims", tags=["claims"])


@router.get("")
async def list_claims(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[ClaimView]:
    async with caller.read() as view:
        found = await view.claims.list(caller.scope, read_page(query))
    return build_page(found, build_claim_view)


@router.post("/upload")
async def upload_claims(
    caller: CallerOf,
    # Strict, or a JSON text would pass for lines.
    body: Annotated[bytes, Body(media_type=CSV_TYPE, strict=True, description=DESCRIPTION)],
) -> UploadAnswer:
    return await commands.upload_claims(caller.control, caller.principal, body)


@router.get("/{claim_id}")
async def get_claim(caller: CallerOf, claim_id: UUID, response: Response) -> ClaimView:
    async with caller.read() as view:
        found = await view.claims.get(caller.scope, ClaimId(claim_id))
    return tag_version(response, build_claim_view(found))


@router.delete("/{claim_id}")
async def withdraw_claim(caller: CallerOf, claim_id: UUID, expected: ExpectedVersion) -> ClaimView:
    withdrawn = await commands.withdraw_claim(caller.control, caller.principal, ClaimId(claim_id), expected)
    return build_claim_view(withdrawn)


@site_router.put("")
async def make_claim(caller: CallerOf, site_id: UUID, body: ClaimWrite, response: Response) -> ClaimView:
    kept = await commands.make_claim(caller.control, caller.principal, SiteId(site_id), body)
    return tag_version(response, build_claim_view(kept))
