"""Deployments: seen by the provider they were placed with, and by no organization."""

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.ids import DeploymentId
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import create_deployment, plant_world

EVERYTHING = PlatformScope()


async def test_organization_sees_none(storage: Database) -> None:
    world = await plant_world(storage)
    organization = OrganizationScope(world.left.organization.id)
    async with storage.read() as view:
        assert (await view.deployments.list(organization, PageRequest())).items == ()
        assert await view.deployments.list_by_ids(organization, [world.left.deployment.id]) == ()


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
