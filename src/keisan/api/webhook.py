"""Webhooks over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import webhook as commands
from keisan.domain.ids import WebhookId
from keisan.wire.page import ListQuery, Page
from keisan.wire.webhook import WebhookCreate, WebhookShown, WebhookUpdate, WebhookView

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.get("")
async def list_webhooks(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[WebhookView]:
    async with caller.read() as view:
        found = await view.webhooks.list(caller.scope, read_page(query))
    return build_page(found, WebhookView.model_validate)


@router.get("/{webhook_id}")
async def get_webhook(caller: CallerOf, webhook_id: UUID, response: Response) -> WebhookView:
    async with caller.read() as view:
        found = await view.webhooks.get(caller.scope, WebhookId(webhook_id))
    return tag_version(response, WebhookView.model_validate(found))


@router.post("", status_code=201)
async def create_webhook(caller: CallerOf, body: WebhookCreate, response: Response) -> WebhookShown:
    created = await commands.create_webhook(caller.control, caller.principal, body)
    return _show(created, response)


@router.patch("/{webhook_id}")
async def update_webhook(
    caller: CallerOf, webhook_id: UUID, expected_version: ExpectedVersion, body: WebhookUpdate, response: Response
) -> WebhookView:
    updated = await commands.update_webhook(
        caller.control, caller.principal, WebhookId(webhook_id), expected_version, body
    )
    return tag_version(response, WebhookView.model_validate(updated))


@router.post("/{webhook_id}/rotate")
async def rotate_webhook(caller: CallerOf, webhook_id: UUID, response: Response) -> WebhookShown:
    rotated = await commands.rotate_webhook(caller.control, caller.principal, WebhookId(webhook_id))
    return _show(rotated, response)


def _show(shown: commands.ShownWebhook, response: Response) -> WebhookShown:
    view = tag_version(response, WebhookView.model_validate(shown.webhook))
    return WebhookShown(webhook=view, secret=shown.secret.reveal())
