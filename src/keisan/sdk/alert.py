"""Alerts of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.alert import AlertView
from keisan.wire.page import Page


class AsyncAlerts:
    """Alerts within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[AlertView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[AlertView], "/alerts")

    async def get(self, alert_id: UUID) -> AlertView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(AlertView, f"/alerts/{alert_id}")


class Alerts(Blocking[AsyncAlerts]):
    """Alerts within the key's scope."""

    list = iterate(AsyncAlerts.list)
    get = wait_for(AsyncAlerts.get)
