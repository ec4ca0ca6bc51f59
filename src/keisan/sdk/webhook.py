"""Webhooks of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.webhook import WebhookCreate, WebhookShown, WebhookUpdate, WebhookView


class AsyncWebhooks:
    """Webhooks within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[WebhookView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[WebhookView], "/webhooks")

    async def get(self, webhook_id: UUID) -> WebhookView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(WebhookView, f"/webhooks/{webhook_id}")

    async def create(self, body: WebhookCreate) -> WebhookShown:
        """Create a webhook; its secret is in the answer, this once.

        Raises InvalidInput for a URL that nothing is sent to, LimitExceeded for one too many.
        """
        return await self._transport.write(WebhookShown, "POST", "/webhooks", body)

    async def update(self, webhook: WebhookView, change: WebhookUpdate) -> WebhookView:
        """Change what was seen, in what the change names; raises VersionMismatch if it has changed since."""
        path = f"/webhooks/{webhook.id}"
        return await self._transport.write(WebhookView, "PATCH", path, change, version=webhook.version)

    async def rotate(self, webhook_id: UUID) -> WebhookShown:
        """Replace the secret; the new one is in the answer, this once, and the one before signs beside it for a day."""
        return await self._transport.write(WebhookShown, "POST", f"/webhooks/{webhook_id}/rotate")


class Webhooks(Blocking[AsyncWebhooks]):
    """Webhooks within the key's scope."""

    list = iterate(AsyncWebhooks.list)
    get = wait_for(AsyncWebhooks.get)
    create = wait_for(AsyncWebhooks.create)
    update = wait_for(AsyncWebhooks.update)
    rotate = wait_for(AsyncWebhooks.rotate)
