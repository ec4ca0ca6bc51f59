"""Names over HTTP: what one stands for, from records that are kept here."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.control.name import find_name
from keisan.wire.resolution import NameQuery, ResolutionView

router = APIRouter(prefix="/names", tags=["federation"])


@router.get("")
async def resolve_name(caller: CallerOf, query: Annotated[NameQuery, Query()]) -> ResolutionView:
    return ResolutionView.model_validate(await find_name(caller.control, caller.principal, query.name))
