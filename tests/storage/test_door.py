"""Doors: found by site, seen by their providers, and asked for another secret in one statement."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.door import Door, DoorStage
from keisan.domain.errors import VersionMismatch
from keisan.domain.ids import SiteId
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.samples import DOOR_PLACE
from tests.factories import World, create_door, plant_world

EVERYTHING = PlatformScope()


async def plant_doors(storage: Database) -> tuple[World, Door, Door]:
    """Insert a door at the left site beside the right one."""
    world = await plant_world(storage)
    left = replace(create_door(world.left.site), place=DOOR_PLACE, shown_salt="5a" * 32)
    async with storage.write() as transaction:
        await transaction.doors.insert(left)
        right = await transaction.doors.get(EVERYTHING, world.right.site.id)
    return world, left, right


async def test_found_by_site_and_seen_by_its_provider_only(storage: Database) -> None:
    world, left, right = await plant_doors(storage)
    async with storage.read() as view:
        assert await view.doors.find(EVERYTHING, left.id) == left
        assert await view.doors.find(EVERYTHING, SiteId(create_id())) is None
        assert await view.doors.find(ProviderScope(world.right.provider.id), left.id) is None
        assert await view.doors.list_all(EVERYTHING) == tuple(sorted((left, right), key=lambda door: door.id))
        assert await view.doors.list_all(ProviderScope(world.left.provider.id)) == (left,)
        assert await view.doors.list_all(OrganizationScope(world.left.organization.id)) == ()


async def test_another_secret_is_asked_for_within_the_scope(storage: Database) -> None:
    world, left, right = await plant_doors(storage)
    async with storage.write() as transaction:
        await transaction.doors.want_rotations(ProviderScope(world.right.provider.id), [left.id])
        assert await transaction.doors.get(EVERYTHING, left.id) == left
        await transaction.doors.want_rotations(EVERYTHING, [left.id])
        wanted = await transaction.doors.get(EVERYTHING, left.id)
        assert wanted == replace(left, is_rotation_wanted=True, version=2)
        assert await transaction.doors.get(EVERYTHING, right.id) == right
        await transaction.doors.want_rotations(EVERYTHING, None)
        assert (await transaction.doors.get(EVERYTHING, right.id)).is_rotation_wanted


async def test_one_that_is_on_its_way_is_as_good_as_another(storage: Database) -> None:
    _, left, _ = await plant_doors(storage)
    arriving = replace(left, stage=DoorStage.ARRIVING, other_salt="5b" * 32, version=2)
    async with storage.write() as transaction:
        await transaction.doors.update(arriving)
        await transaction.doors.want_rotations(EVERYTHING, None)
        assert await transaction.doors.get(EVERYTHING, left.id) == arriving


async def test_whoever_read_before_it_was_asked_for_reads_again(storage: Database) -> None:
    _, left, _ = await plant_doors(storage)
    async with storage.write() as transaction:
        await transaction.doors.want_rotations(EVERYTHING, [left.id])
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await transaction.doors.update(replace(left, stage=DoorStage.ARRIVING, version=2))
