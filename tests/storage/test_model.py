"""Models by name and by ids."""

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.ids import ModelId
from keisan.domain.model import Surface
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import create_model, plant_world

EVERYTHING = PlatformScope()


async def test_name_finds_its_model(storage: Database) -> None:
    world = await plant_world(storage)
    scope = OrganizationScope(world.left.organization.id)
    async with storage.read() as view:
        found = await view.models.find_by_name(scope, world.model.facts.name)
        assert await view.models.find_by_name(scope, "nothing") is None
        assert await view.models.list_by_names(scope, ["nothing", world.model.facts.name]) == (world.model,)
        assert await view.models.list_by_names(scope, []) == ()
    assert found == world.model
    assert all(isinstance(surface, Surface) for surface in found.facts.surfaces)


async def test_models_by_ids_or_all(storage: Database) -> None:
    world = await plant_world(storage)
    other = create_model()
    async with storage.write() as transaction:
        await transaction.models.insert(other)
    async with storage.read() as view:
        assert await view.models.list_by_ids(EVERYTHING, None) == (world.model, other)
        assert await view.models.list_by_ids(EVERYTHING, [other.id, ModelId(create_id())]) == (other,)
        assert await view.models.list_by_ids(EVERYTHING, []) == ()
