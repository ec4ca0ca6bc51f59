"""Organizations over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import organization as commands
from keisan.domain.ids import OrganizationId
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate, OrganizationView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.get("")
async def list_organizations(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[OrganizationView]:
    async with caller.read() as view:
        found = await view.organizations.list(caller.scope, read_page(query))
    return build_page(found, OrganizationView.model_validate)


@router.get("/{organization_id}")
async def get_organization(caller: CallerOf, organization_id: UUID, response: Response) -> OrganizationView:
    async with caller.read() as view:
        found = await view.organizations.get(caller.scope, OrganizationId(organization_id))
    return tag_version(response, OrganizationView.model_validate(found))


@router.post("", status_code=201)
async def create_organization(caller: CallerOf, body: OrganizationCreate, response: Response) -> OrganizationView:
    created = await commands.create_organization(caller.control, caller.principal, body)
    return tag_version(response, OrganizationView.model_validate(created))


@router.patch("/{organization_id}")
async def update_organization(
    caller: CallerOf,
    organization_id: UUID,
    expected_version: ExpectedVersion,
    body: OrganizationUpdate,
    response: Response,
) -> OrganizationView:
    updated = await commands.update_organization(
        caller.control, caller.principal, OrganizationId(organization_id), expected_version, body
    )
    return tag_version(response, OrganizationView.model_validate(updated))
