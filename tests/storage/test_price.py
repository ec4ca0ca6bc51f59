"""Prices: the newest version in force is current, every version stays as it was."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.price import PRICE_NANO_MAX, TokenClass
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, create_model, create_price, plant_world

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
        assert await view.prices.list_current(scope, None, NOW) == {world.model.id: third, other.id: others}
        assert await view.prices.list_current(scope, [world.model.id], NOW) == {world.model.id: third}
        assert await view.prices.list_current(scope, [], NOW) == {}
        assert await view.prices.list_by_ids(scope, [second.id, create_id()]) == {second.id: second}


async def test_prices_come_back_exact(storage: Database) -> None:
    world = await plant_world(storage)
    nano = {TokenClass.INPUT: PRICE_NANO_MAX, TokenClass.OUTPUT: PRICE_NANO_MAX - 1, TokenClass.REASONING: 0}
    price = replace(create_price(world.model, 2), nano_per_million=nano)
    async with storage.write() as transaction:
        await transaction.prices.insert(price)
    async with storage.read() as view:
        assert await view.prices.get(EVERYTHING, price.id) == price


async def test_price_is_current_from_its_instant_on(storage: Database) -> None:
    world = await plant_world(storage)
    moment = timedelta(microseconds=1)
    start = max(NOW, world.price.effective_from) + timedelta(hours=1)
    later = replace(create_price(world.model, 2), effective_from=start)
    async with storage.write() as transaction:
        await transaction.prices.insert(later)
    async with storage.read() as view:
        asked = [world.price.effective_from - moment, start - moment, start, start + timedelta(days=9)]
        current = [(await view.prices.list_current(EVERYTHING, None, at)).get(world.model.id) for at in asked]
        assert current == [None, world.price, later, later]
        assert await view.prices.get_last_version(EVERYTHING, world.model.id) == 2
        assert await view.prices.get_last_version(EVERYTHING, create_model().id) == 0


async def test_newer_price_that_holds_earlier_takes_the_place_of_one_to_come(storage: Database) -> None:
    world = await plant_world(storage)
    planned = replace(create_price(world.model, 2), effective_from=NOW + timedelta(hours=2))
    sooner = replace(create_price(world.model, 3), effective_from=NOW + timedelta(hours=1))
    async with storage.write() as transaction:
        await transaction.prices.insert(planned)
        await transaction.prices.insert(sooner)
    async with storage.read() as view:
        current = await view.prices.list_current(EVERYTHING, None, NOW + timedelta(hours=3))
    assert current == {world.model.id: sooner}


async def test_pictures_and_sound_are_priced(storage: Database) -> None:
    world = await plant_world(storage)
    nano = dict.fromkeys(TokenClass, 5)
    price = replace(create_price(world.model, 2), nano_per_million=nano)
    async with storage.write() as transaction:
        await transaction.prices.insert(price)
    async with storage.read() as view:
        assert (await view.prices.get(EVERYTHING, price.id)).nano_per_million == nano
