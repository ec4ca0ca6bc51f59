"""Devices through the client."""

from keisan.sdk import AsyncKeisan
from tests.api.stage import Stage


async def test_list_and_get(stage: Stage, admin: AsyncKeisan) -> None:
    [line, _] = [line async for line in admin.devices.list()]
    assert line.chip == "cpu-x86-64"
    assert await admin.devices.get(stage.ids["device"]) == line
