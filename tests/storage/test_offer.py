"""Offers: versions of a provider and a subject, and all of them for those who pay calls."""

from dataclasses import replace

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.ids import ModelId, OfferId
from keisan.domain.offer import Offer
from keisan.domain.price import PRICE_NANO_MAX
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.samples import build_chip_offer
from tests.factories import World, create_model, create_offer, plant_world

EVERYTHING = PlatformScope()


def create_chip_offer(world: World, version: int = 1) -> Offer:
    return build_chip_offer(
        id=OfferId(create_id()),
        platform_id=world.platform.id,
        provider_id=world.left.provider.id,
        nano_per_device_hour=PRICE_NANO_MAX,
        version=version,
    )


async def test_device_hours_come_back_exact_and_are_counted_apart(storage: Database) -> None:
    world = await plant_world(storage)
    first, second = create_chip_offer(world), create_chip_offer(world, 2)
    other_chip = replace(create_chip_offer(world), chip="metax-c600")
    provider = world.left.provider.id
    async with storage.write() as transaction:
        for offer in (first, second, other_chip):
            await transaction.offers.insert(offer)
    async with storage.read() as view:
        assert await view.offers.get(EVERYTHING, second.id) == second
        versions = [
            await view.offers.get_last_version(EVERYTHING, provider, subject)
            for subject in (first.subject, other_chip.subject, world.left.offer.subject, "chip:none")
        ]
        own = ProviderScope(world.right.provider.id)
        assert await view.offers.get_last_version(own, provider, first.subject) == 0
    assert versions == [2, 1, 1, 0]


async def test_offers_of_pairs_are_all_their_versions_and_no_others(storage: Database) -> None:
    world = await plant_world(storage)
    left, right, other = world.left.provider, world.right.provider, create_model()
    second, elsewhere = create_offer(left, world.model, 2), create_offer(left, other)
    async with storage.write() as transaction:
        await transaction.models.insert(other)
        for offer in (second, elsewhere, create_chip_offer(world)):
            await transaction.offers.insert(offer)
    pairs = [(left.id, world.model.id), (right.id, other.id), (left.id, world.model.id)]
    async with storage.read() as view:
        found = await view.offers.list_models(EVERYTHING, pairs)
        assert list(found) == sorted([world.left.offer, second], key=lambda offer: offer.id)
        both = await view.offers.list_models(EVERYTHING, [*pairs, (left.id, other.id), (right.id, world.model.id)])
        assert {offer.id for offer in both} == {
            world.left.offer.id,
            second.id,
            elsewhere.id,
            world.right.offer.id,
        }
        assert await view.offers.list_models(EVERYTHING, []) == []
        many = [(left.id, ModelId(create_id())) for _ in range(20_000)]
        assert len(await view.offers.list_models(EVERYTHING, [*many, *pairs])) == len(found)
        assert await view.offers.list_models(ProviderScope(right.id), pairs) == []
        assert await view.offers.list_models(OrganizationScope(world.left.organization.id), pairs) == []
