"""Nodes of a site, within the scope."""

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.storage.database import Database
from tests.factories import create_node, plant_world


async def test_nodes_of_a_site_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    site, added = world.left.site, create_node(world.left.site)
    async with storage.write() as transaction:
        await transaction.nodes.insert(added)
    async with storage.read() as view:
        assert await view.nodes.list_site(PlatformScope(), site.id) == (world.left.node, added)
        assert await view.nodes.list_site(ProviderScope(world.left.provider.id), site.id) == (world.left.node, added)
        assert await view.nodes.list_site(ProviderScope(world.right.provider.id), site.id) == ()
        assert await view.nodes.list_site(OrganizationScope(world.left.organization.id), site.id) == ()
