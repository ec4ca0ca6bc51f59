"""Live telemetry through the client."""

import pytest

from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.roll_up import Level
from keisan.sdk import AsyncKeisan
from keisan.sdk.client import Connections
from keisan.wire.telemetry import LiveDeviceQuery
from tests.api.stage import Stage
from tests.sdk.platform import connect
from tests.telemetry.fleet import build_frame_body, build_inventory_body


async def test_sums_devices_and_frames(stage: Stage, admin: AsyncKeisan) -> None:
    await stage.ask("site", "POST", "/site/inventory", build_inventory_body())
    await stage.ask("site", "POST", "/site/frame", build_frame_body())
    stage.fleet.fleet.roll_up(stage.fleet.read_moment())
    [region] = (await admin.telemetry.list_rollups()).items
    assert (region.level, region.counts["ok"]) == (Level.REGION, 4)
    nodes = await admin.telemetry.list_rollups(Level.NODE, site_id=stage.site.id)
    assert [node.counts["devices"] for node in nodes.items] == [2, 2]
    devices = await admin.telemetry.list_devices(LiveDeviceQuery(site_id=stage.site.id, node="node-1"))
    assert [device.number for device in devices.items] == [2, 3]
    assert (await admin.telemetry.list_frames()).items[0].outcomes["live"] == 1


async def test_what_is_refused_is_an_error_of_the_tree(stage: Stage, admin: AsyncKeisan) -> None:
    with pytest.raises(InvalidInput):
        await admin.telemetry.list_rollups(Level.NODE)
    async with AsyncKeisan.over(Connections(connect(stage, "developer"))) as developer:
        with pytest.raises(PermissionDenied):
            await developer.telemetry.list_rollups()
