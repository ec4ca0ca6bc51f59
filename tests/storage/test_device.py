"""Devices of a site, within the scope."""

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.storage.database import Database
from tests.factories import create_device, plant_world


async def test_devices_of_a_site_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    site, added = world.left.site, create_device(world.left.node)
    async with storage.write() as transaction:
        await transaction.devices.insert(added)
    expected = (world.left.device, added)
    async with storage.read() as view:
        assert await view.devices.list_site(PlatformScope(), site.id) == expected
        assert await view.devices.list_site(ProviderScope(world.left.provider.id), site.id) == expected
        assert await view.devices.list_site(ProviderScope(world.right.provider.id), site.id) == ()
        assert await view.devices.list_site(OrganizationScope(world.left.organization.id), site.id) == ()
