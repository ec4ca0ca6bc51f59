"""Offers over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import offer as commands
from keisan.domain.ids import OfferId
from keisan.wire.offer import OfferCreate, OfferView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/offers", tags=["offers"])


@router.get("")
async def list_offers(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[OfferView]:
    async with caller.read() as view:
        found = await view.offers.list(caller.scope, read_page(query))
    return build_page(found, OfferView.model_validate)


@router.get("/{offer_id}")
async def get_offer(caller: CallerOf, offer_id: UUID, response: Response) -> OfferView:
    async with caller.read() as view:
        found = await view.offers.get(caller.scope, OfferId(offer_id))
    return tag_version(response, OfferView.model_validate(found))


@router.post("", status_code=201)
async def create_offer(caller: CallerOf, body: OfferCreate, response: Response) -> OfferView:
    created = await commands.create_offer(caller.control, caller.principal, body)
    return tag_version(response, OfferView.model_validate(created))


@router.post("/{offer_id}/withdraw", status_code=201)
async def withdraw_offer(caller: CallerOf, offer_id: UUID, response: Response) -> OfferView:
    created = await commands.withdraw_offer(caller.control, caller.principal, OfferId(offer_id))
    return tag_version(response, OfferView.model_validate(created))
