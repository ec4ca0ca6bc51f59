"""All projects in scope, at once."""

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.storage.database import Database
from tests.factories import create_project, plant_world


async def test_all_are_those_in_scope(storage: Database) -> None:
    world = await plant_world(storage)
    another = create_project(world.left.organization, "another")
    async with storage.write() as transaction:
        await transaction.projects.insert(another)
    async with storage.read() as view:
        every = await view.projects.list_all(PlatformScope())
        own = await view.projects.list_all(OrganizationScope(world.left.organization.id))
        none = await view.projects.list_all(ProviderScope(world.left.provider.id))
    assert set(every) == {world.left.project, world.right.project, another}
    assert (set(own), list(none)) == ({world.left.project, another}, [])
