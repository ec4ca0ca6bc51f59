"""All organizations in scope, at once."""

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.storage.database import Database
from tests.factories import plant_world


async def test_all_are_those_in_scope(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        every = await view.organizations.list_all(PlatformScope())
        own = await view.organizations.list_all(OrganizationScope(world.left.organization.id))
        none = await view.organizations.list_all(ProviderScope(world.left.provider.id))
    assert set(every) == {world.left.organization, world.right.organization}
    assert (list(own), list(none)) == ([world.left.organization], [])
