"""Deliveries over HTTP, each under its webhook."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import delivery as commands
from keisan.domain.ids import DeliveryId, WebhookId
from keisan.wire.delivery import DeliveryView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/webhooks/{webhook_id}/deliveries", tags=["webhooks"])


@router.get("")
async def list_deliveries(
    caller: CallerOf, webhook_id: UUID, query: Annotated[ListQuery, Query()]
) -> Page[DeliveryView]:
    async with caller.read() as view:
        webhook = await view.webhooks.get(caller.scope, WebhookId(webhook_id))
        found = await view.deliveries.list_webhook(caller.scope, webhook.id, read_page(query))
    return build_page(found, DeliveryView.model_validate)


@router.post("/{delivery_id}/redeliver")
async def send_again(caller: CallerOf, webhook_id: UUID, delivery_id: UUID, response: Response) -> DeliveryView:
    wanted = await commands.send_again(caller.control, caller.principal, WebhookId(webhook_id), DeliveryId(delivery_id))
    return tag_version(response, DeliveryView.model_validate(wanted))
