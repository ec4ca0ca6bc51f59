"""Deployments: counted while active, seen by the provider they were placed with."""

from dataclasses import replace

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.deployment import DeploymentState
from keisan.domain.ids import DeploymentId
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import create_deployment, create_model, plant_world

EVERYTHING = PlatformScope()


async def test_active_deployments_are_counted(storage: Database) -> None:
    world = await plant_world(storage)
    left = world.left.deployment
    scope = ProviderScope(world.left.provider.id)
    async with storage.write() as transaction:
        assert await transaction.deployments.count_active(EVERYTHING, world.model.id) == 2
        assert await transaction.deployments.count_active(scope, world.model.id) == 1
        assert await transaction.deployments.count_active(EVERYTHING, create_model().id) == 0
        organization = OrganizationScope(world.left.organization.id)
        assert await transaction.deployments.count_active(organization, world.model.id) == 0
        await transaction.deployments.update(replace(left, state=DeploymentState.DELETING, version=2))
        assert await transaction.deployments.count_active(EVERYTHING, world.model.id) == 1
        assert await transaction.deployments.count_active(scope, world.model.id) == 0


async def test_provider_sees_what_names_its_site(storage: Database) -> None:
    world = await plant_world(storage)
    named = create_deployment(world.model, world.right.site)
    anywhere = create_deployment(world.model)
    async with storage.write() as transaction:
        await transaction.deployments.insert(named)
        await transaction.deployments.insert(anywhere)
    async with storage.read() as view:
        right = await view.deployments.list(ProviderScope(world.right.provider.id), PageRequest())
        left = await view.deployments.list(ProviderScope(world.left.provider.id), PageRequest())
    assert right.items == (world.right.deployment, named)
    assert left.items == (world.left.deployment,)


async def test_deployments_by_ids_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    ids = [world.left.deployment.id, world.right.deployment.id, DeploymentId(create_id())]
    async with storage.read() as view:
        found = await view.deployments.list_by_ids(EVERYTHING, ids)
        assert found == (world.left.deployment, world.right.deployment)
        scope = ProviderScope(world.left.provider.id)
        assert await view.deployments.list_by_ids(scope, ids) == (world.left.deployment,)
