"""Webhooks through the client."""

import pytest

from keisan.kit.ids import create_id
from keisan.sdk import AsyncKeisan, InvalidInput, NotFound, VersionMismatch, WebhookCreate, WebhookState, WebhookUpdate


async def test_make_change_and_rotate(admin: AsyncKeisan) -> None:
    shown = await admin.webhooks.create(WebhookCreate(url="https://receiver.example/"))
    assert shown.secret not in repr(shown)
    assert await admin.webhooks.get(shown.webhook.id) == shown.webhook
    changed = await admin.webhooks.update(shown.webhook, WebhookUpdate(state=WebhookState.DISABLED))
    assert (changed.state, changed.url) == (WebhookState.DISABLED, shown.webhook.url)
    with pytest.raises(VersionMismatch):
        await admin.webhooks.update(shown.webhook, WebhookUpdate(state=WebhookState.ENABLED))
    assert (await admin.webhooks.rotate(changed.id)).secret != shown.secret
    assert changed.id in [line.id async for line in admin.webhooks.list()]
    with pytest.raises(InvalidInput):
        await admin.webhooks.create(WebhookCreate(url="https://10.0.0.1/"))
    with pytest.raises(NotFound):
        await admin.webhooks.get(create_id())
