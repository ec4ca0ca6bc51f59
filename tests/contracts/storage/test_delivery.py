"""Deliveries by webhook, on both databases: which is next, and how far they are counted."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.delivery import DeliveryState
from keisan.domain.errors import AlreadyExists
from keisan.domain.page import PageRequest
from keisan.storage.database import Database
from tests.factories import create_delivery, create_webhook, plant_world

EVERYTHING = PlatformScope()


async def test_next_is_the_lowest_that_waits(storage: Database) -> None:
    world = await plant_world(storage)
    webhook, other, alert = create_webhook(world.left.organization), create_webhook(None), world.left.alert
    deliveries = [create_delivery(webhook, alert, sequence) for sequence in (1, 2, 3)]
    stranger = OrganizationScope(world.right.organization.id)
    async with storage.write() as transaction:
        for noun in (webhook, other):
            await transaction.webhooks.insert(noun)
        # Not in the order that they count in.
        for delivery in reversed(deliveries):
            await transaction.deliveries.insert(delivery)
        repository = transaction.deliveries
        assert await repository.get_last_sequence(EVERYTHING, webhook.id) == 3
        assert await repository.get_last_sequence(EVERYTHING, other.id) == 0
        assert await repository.get_last_sequence(stranger, webhook.id) == 0
        assert await repository.find_next(stranger, webhook.id) is None
        assert await repository.find_next(EVERYTHING, other.id) is None
        for delivery, state in zip(deliveries, (DeliveryState.DELIVERED, DeliveryState.DEAD), strict=False):
            assert await repository.find_next(EVERYTHING, webhook.id) == delivery
            await repository.update(replace(delivery, state=state, version=2))
        assert await repository.find_next(EVERYTHING, webhook.id) == deliveries[2]


async def test_page_is_of_one_webhook_and_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    alert, webhook = world.left.alert, world.left.webhook
    more = [create_delivery(webhook, alert, sequence) for sequence in (2, 3)]
    async with storage.write() as transaction:
        for delivery in more:
            await transaction.deliveries.insert(delivery)
    expected = (world.left.delivery, *more)
    async with storage.read() as view:
        own = OrganizationScope(world.left.organization.id)
        first = await view.deliveries.list_webhook(own, webhook.id, PageRequest(limit=2))
        second = await view.deliveries.list_webhook(own, webhook.id, PageRequest(first.next_after, 2))
        assert (first.items + second.items, second.next_after) == (expected, None)
        stranger = OrganizationScope(world.right.organization.id)
        assert (await view.deliveries.list_webhook(stranger, webhook.id, PageRequest())).items == ()


async def test_sequence_of_a_webhook_is_there_once(storage: Database) -> None:
    world = await plant_world(storage)
    with pytest.raises(AlreadyExists):
        async with storage.write() as transaction:
            await transaction.deliveries.insert(create_delivery(world.left.webhook, world.left.alert, 1))
