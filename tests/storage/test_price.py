"""Prices: the newest version is current, every version stays as it was."""

from dataclasses import replace

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.price import PRICE_NANO_MAX, TokenClass
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import create_model, create_price, plant_world

EVERYTHING = PlatformScope()


async def test_newest_version_is_current(storage: Database) -> None:
    world = await plant_world(storage)
    other = create_model()
    third, second = create_price(world.model, 3), create_price(world.model, 2)
    others = create_price(other)
    async with storage.write() as transaction:
        await transaction.models.insert(other)
        for price in (third, second, others):
            await transaction.prices.insert(price)
    scope = OrganizationScope(world.left.organization.id)
    async with storage.read() as view:
        assert await view.prices.list_current(scope, None) == {world.model.id: third, other.id: others}
        assert await view.prices.list_current(scope, [world.model.id]) == {world.model.id: third}
        assert await view.prices.list_current(scope, []) == {}
        assert await view.prices.list_by_ids(scope, [second.id, create_id()]) == {second.id: second}


async def test_prices_come_back_exact(storage: Database) -> None:
    world = await plant_world(storage)
    nano = {TokenClass.INPUT: PRICE_NANO_MAX, TokenClass.OUTPUT: PRICE_NANO_MAX - 1, TokenClass.REASONING: 0}
    price = replace(create_price(world.model, 2), nano_per_million=nano)
    async with storage.write() as transaction:
        await transaction.prices.insert(price)
    async with storage.read() as view:
        assert await view.prices.get(EVERYTHING, price.id) == price
