"""Models over HTTP."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import model as commands
from keisan.domain.ids import ModelId
from keisan.domain.model import Model
from keisan.domain.price import Price
from keisan.wire.model import ModelCreate, ModelView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
async def list_models(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[ModelView]:
    async with caller.read() as view:
        found = await view.models.list(caller.scope, read_page(query))
        prices = await view.prices.list_current(
            caller.scope, [model.id for model in found.items], caller.control.clock.now()
        )
    return build_page(found, lambda model: _build_view(model, prices))


@router.get("/{model_id}")
async def get_model(caller: CallerOf, model_id: UUID, response: Response) -> ModelView:
    async with caller.read() as view:
        found = await view.models.get(caller.scope, ModelId(model_id))
        prices = await view.prices.list_current(caller.scope, [found.id], caller.control.clock.now())
    return tag_version(response, _build_view(found, prices))


@router.post("", status_code=201)
async def create_model(caller: CallerOf, body: ModelCreate, response: Response) -> ModelView:
    created = await commands.create_model(caller.control, caller.principal, body)
    return tag_version(response, _build_view(created, {}))


def _build_view(model: Model, prices: Mapping[ModelId, Price]) -> ModelView:
    price = prices.get(model.id)
    return ModelView(
        id=model.id,
        platform_id=model.platform_id,
        price_id=price.id if price else None,
        version=model.version,
        created_at=model.created_at,
        **asdict(model.facts),
    )
