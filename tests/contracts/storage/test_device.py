"""Devices on both databases: those that people have closed to work."""

from dataclasses import replace

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.device import DeviceUse
from keisan.storage.database import Database
from tests.factories import plant_world


async def test_closed_ones_are_listed_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.write() as transaction:
        for side, use in ((world.left, DeviceUse.CORDONED), (world.right, DeviceUse.DRAINING)):
            await transaction.devices.update(replace(side.device, use=use, version=2))
    left = (world.left.site.id, world.left.device.hardware_id, DeviceUse.CORDONED)
    right = (world.right.site.id, world.right.device.hardware_id, DeviceUse.DRAINING)
    async with storage.read() as view:
        assert set(await view.devices.list_closed(PlatformScope())) == {left, right}
        assert list(await view.devices.list_closed(ProviderScope(world.left.provider.id))) == [left]
        assert list(await view.devices.list_closed(OrganizationScope(world.left.organization.id))) == []
    async with storage.write() as transaction:
        await transaction.devices.update(replace(world.left.device, use=DeviceUse.OPEN, version=3))
        assert list(await transaction.devices.list_closed(PlatformScope())) == [right]
