"""Alerts over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.domain.ids import AlertId
from keisan.wire.alert import AlertView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/alerts", tags=["alerts"])


@router.get("")
async def list_alerts(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[AlertView]:
    async with caller.read() as view:
        found = await view.alerts.list(caller.scope, read_page(query))
    return build_page(found, AlertView.model_validate)


@router.get("/{alert_id}")
async def get_alert(caller: CallerOf, alert_id: UUID) -> AlertView:
    async with caller.read() as view:
        found = await view.alerts.get(caller.scope, AlertId(alert_id))
    return AlertView.model_validate(found)
