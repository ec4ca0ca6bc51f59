"""Alerts through the client."""

from keisan.sdk import AlertKind, AsyncKeisan
from tests.api.stage import Stage


async def test_list_and_get(stage: Stage, admin: AsyncKeisan) -> None:
    [alert] = [line async for line in admin.alerts.list()]
    assert (alert.id, alert.kind) == (stage.ids["alert"], AlertKind.WALLET_LOW)
    assert await admin.alerts.get(alert.id) == alert
