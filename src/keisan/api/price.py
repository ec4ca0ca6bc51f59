"""Prices over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import price as commands
from keisan.domain.ids import PriceId
from keisan.wire.page import ListQuery, Page
from keisan.wire.price import PriceCreate, PriceView

router = APIRouter(prefix="/prices", tags=["prices"])


@router.get("")
async def list_prices(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[PriceView]:
    async with caller.read() as view:
        found = await view.prices.list(caller.scope, read_page(query))
    return build_page(found, PriceView.model_validate)


@router.get("/{price_id}")
async def get_price(caller: CallerOf, price_id: UUID, response: Response) -> PriceView:
    async with caller.read() as view:
        found = await view.prices.get(caller.scope, PriceId(price_id))
    return tag_version(response, PriceView.model_validate(found))


@router.post("", status_code=201)
async def create_price(caller: CallerOf, body: PriceCreate, response: Response) -> PriceView:
    created = await commands.create_price(caller.control, caller.principal, body)
    return tag_version(response, PriceView.model_validate(created))
