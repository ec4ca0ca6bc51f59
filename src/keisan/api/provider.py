"""Providers over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import provider as commands
from keisan.domain.ids import ProviderId
from keisan.wire.page import ListQuery, Page
from keisan.wire.provider import ProviderCreate, ProviderView

router = APIRouter(prefix="/providers", tags=["providers"])


@router.get("")
async def list_providers(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[ProviderView]:
    async with caller.read() as view:
        found = await view.providers.list(caller.scope, read_page(query))
    return build_page(found, ProviderView.model_validate)


@router.get("/{provider_id}")
async def get_provider(caller: CallerOf, provider_id: UUID, response: Response) -> ProviderView:
    async with caller.read() as view:
        found = await view.providers.get(caller.scope, ProviderId(provider_id))
    return tag_version(response, ProviderView.model_validate(found))


@router.post("", status_code=201)
async def create_provider(caller: CallerOf, body: ProviderCreate, response: Response) -> ProviderView:
    created = await commands.create_provider(caller.control, caller.principal, body)
    return tag_version(response, ProviderView.model_validate(created))
