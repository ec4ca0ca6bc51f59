"""Serving challenges on both databases: which are open."""

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.serving_challenge import ServingState
from keisan.storage.database import Database
from tests.factories import create_serving_challenge, plant_world


async def test_open_are_those_of_the_deployment_that_are_not_judged(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = world.left, world.right
    planned = create_serving_challenge(left.replica, left.key)
    running = create_serving_challenge(left.replica, left.key, state=ServingState.RUNNING)
    other = create_serving_challenge(right.replica, right.key)
    async with storage.write() as transaction:
        for each in (planned, running, other):
            await transaction.serving_challenges.insert(each)
    async with storage.read() as view:
        for scope, expected in (
            (PlatformScope(), [planned, running]),
            (ProviderScope(left.provider.id), [planned, running]),
            (ProviderScope(right.provider.id), []),
            (OrganizationScope(left.organization.id), []),
        ):
            assert list(await view.serving_challenges.list_open(scope, left.deployment.id)) == expected
