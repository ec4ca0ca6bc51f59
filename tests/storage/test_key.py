"""Keys: found by digest whoever asks, revoked ones too; lists within the scope."""

from dataclasses import replace

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.ids import KeyId
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, plant_world

EVERYTHING = PlatformScope()


async def test_digest_finds_its_key_revoked_or_not(storage: Database) -> None:
    key = (await plant_world(storage)).left.key
    revoked = replace(key, revoked_at=NOW, version=2)
    async with storage.write() as transaction:
        assert await transaction.keys.find_by_digest(key.digest) == key
        await transaction.keys.update(revoked)
        assert await transaction.keys.find_by_digest(key.digest) == revoked
        assert await transaction.keys.find_by_digest("0" * 64) is None


async def test_keys_in_force(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = world.left.key, world.right.key
    async with storage.write() as transaction:
        await transaction.keys.update(replace(left, revoked_at=NOW, version=2))
    async with storage.read() as view:
        assert await view.keys.list_in_force(EVERYTHING) == (right,)
        assert await view.keys.list_in_force(OrganizationScope(world.left.organization.id)) == ()
        assert await view.keys.list_in_force(ProviderScope(world.left.provider.id)) == ()


async def test_keys_by_ids_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    ids = [world.right.key.id, world.left.key.id, KeyId(create_id()), world.left.key.id]
    async with storage.read() as view:
        assert await view.keys.list_by_ids(EVERYTHING, ids) == (world.left.key, world.right.key)
        assert await view.keys.list_by_ids(OrganizationScope(world.left.organization.id), ids) == (world.left.key,)
        assert await view.keys.list_by_ids(EVERYTHING, []) == ()
