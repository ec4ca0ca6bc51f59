"""Webhooks by who hears and by who owns them, on both databases."""

from dataclasses import replace

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.alert import AlertKind
from keisan.storage.database import Database
from tests.factories import create_webhook, plant_world

EVERYTHING = PlatformScope()


async def test_organization_s_and_the_platform_s_own_hear(storage: Database) -> None:
    world = await plant_world(storage)
    own = replace(create_webhook(None), kinds=(AlertKind.DISPUTE_OPENED,))
    left = world.left.organization.id
    async with storage.write() as transaction:
        await transaction.webhooks.insert(own)
        webhooks = transaction.webhooks
        assert {each.id for each in await webhooks.list_hearing(EVERYTHING, left)} == {own.id, world.left.webhook.id}
        assert await webhooks.list_hearing(EVERYTHING, None) == (own,)
        assert await webhooks.list_hearing(OrganizationScope(left), None) == ()
        assert await webhooks.list_hearing(ProviderScope(world.left.provider.id), left) == ()


async def test_webhooks_are_counted_by_owner(storage: Database) -> None:
    world = await plant_world(storage)
    left = world.left.organization.id
    async with storage.write() as transaction:
        await transaction.webhooks.insert(create_webhook(world.left.organization))
        assert await transaction.webhooks.count_owned(EVERYTHING, left) == 2
        assert await transaction.webhooks.count_owned(EVERYTHING, None) == 0
        assert await transaction.webhooks.count_owned(OrganizationScope(world.right.organization.id), left) == 0
