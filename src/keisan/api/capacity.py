"""Capacity over HTTP: five kinds side by side, and never one sum of them."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf, ContextOf
from keisan.control.capacity import draw_capacity
from keisan.domain.access import Right
from keisan.wire.capacity import CapacityQuery, CapacityView

router = APIRouter(prefix="/capacity", tags=["capacity"])


@router.get("")
async def get_capacity(caller: CallerOf, context: ContextOf, query: Annotated[CapacityQuery, Query()]) -> CapacityView:
    caller.principal.require(Right.READ)
    return await draw_capacity(caller.control, caller.scope, query.by, context.capacity_sources)
