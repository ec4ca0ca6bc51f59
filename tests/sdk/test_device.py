"""Devices through the client."""

import pytest

from keisan.domain.errors import InvalidInput, VersionMismatch
from keisan.sdk import AsyncKeisan, DeviceUse
from tests.api.stage import Stage


async def test_list_and_get(stage: Stage, admin: AsyncKeisan) -> None:
    [line, _] = [line async for line in admin.devices.list()]
    assert line.chip == "cpu-x86-64"
    assert await admin.devices.get(stage.ids["device"]) == line


async def test_a_device_is_closed_and_opened(stage: Stage, admin: AsyncKeisan) -> None:
    seen = await admin.devices.get(stage.ids["device"])
    drained = await admin.devices.change_use(seen, DeviceUse.DRAINING, "the fan is loud")
    assert (drained.use, drained.use_reason, drained.version) == (
        DeviceUse.DRAINING,
        "the fan is loud",
        seen.version + 1,
    )
    with pytest.raises(VersionMismatch):
        await admin.devices.change_use(seen, DeviceUse.OPEN)
    with pytest.raises(InvalidInput):
        await admin.devices.change_use(drained, DeviceUse.CORDONED)
    assert (await admin.devices.change_use(drained, DeviceUse.OPEN)).use is DeviceUse.OPEN
