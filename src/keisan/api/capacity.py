"""Capacity over HTTP: five kinds side by side, and never one sum of them."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf, ContextOf
from keisan.control.capacity import draw_capacity
from keisan.control.region_capacity import list_tellers
from keisan.domain.access import PlatformScope, Right
from keisan.wire.capacity import CapacityQuery, CapacityView

router = APIRouter(prefix="/capacity", tags=["capacity"])


@router.get("")
async def get_capacity(caller: CallerOf, context: ContextOf, query: Annotated[CapacityQuery, Query()]) -> CapacityView:
    caller.principal.require(Right.READ)
    view = await draw_capacity(caller.control, caller.scope, query.by, context.capacity_sources)
    if context.regions is None or not isinstance(caller.scope, PlatformScope):
        return view
    return view.model_copy(update={"platforms": tuple(list_tellers(context.regions))})
