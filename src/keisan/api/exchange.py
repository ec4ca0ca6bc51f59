"""The five exchanges of joins over HTTP: how far each platform below has told what it is to tell."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf, ContextOf
from keisan.control.exchange import list_exchanges as describe_exchanges
from keisan.wire.exchange import ExchangeList, ExchangeQuery

router = APIRouter(prefix="/exchanges", tags=["federation"])


@router.get("")
async def list_exchanges(
    caller: CallerOf, context: ContextOf, query: Annotated[ExchangeQuery, Query()]
) -> ExchangeList:
    return describe_exchanges(context.get_regions(), caller.principal, query.platform_id)
