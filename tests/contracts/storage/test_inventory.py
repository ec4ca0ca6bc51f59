"""Inventories on both databases: the last one that a site told, byte for byte, within the scope."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import NotFound
from keisan.domain.inventory import StoredInventory
from keisan.storage.database import Database
from tests.factories import NOW, PLATFORM_ID, Side, plant_world

EVERYTHING = PlatformScope()


def store(side: Side, version: int = 1, body: bytes = b"\x00\xff body") -> StoredInventory:
    return StoredInventory(side.site.id, PLATFORM_ID, "list", version, 2**40, body, NOW)


async def test_a_later_one_takes_the_place_of_the_last(storage: Database) -> None:
    world = await plant_world(storage)
    first = store(world.left)
    second = replace(first, incarnation="other", version=2, device_count=7, body=bytes(range(256)) * 4096)
    for inventory in (first, second):
        async with storage.write() as transaction:
            await transaction.inventories.put(inventory)
        async with storage.read() as view:
            assert await view.inventories.get(EVERYTHING, world.left.site.id) == inventory
    async with storage.read() as view:
        assert await view.inventories.list_all(EVERYTHING) == (second,)


async def test_a_provider_sees_its_own_sites_and_an_organization_none(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = store(world.left), store(world.right)
    async with storage.write() as transaction:
        await transaction.inventories.put(left)
        await transaction.inventories.put(right)
    async with storage.read() as view:
        assert set(await view.inventories.list_all(EVERYTHING)) == {left, right}
        own = ProviderScope(world.left.provider.id)
        assert await view.inventories.list_all(own) == (left,)
        assert await view.inventories.list_all(OrganizationScope(world.left.organization.id)) == ()
        with pytest.raises(NotFound):
            await view.inventories.get(own, world.right.site.id)
