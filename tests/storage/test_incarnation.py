"""The newest incarnation of each gateway: one row each, written in place, seen by the platform only."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import InvariantBroken, StateConflict
from keisan.domain.ids import MachineId
from keisan.domain.incarnation import Incarnation
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, PLATFORM_ID, World, plant_world

EVERYTHING = PlatformScope()


def create_incarnation(world: World) -> Incarnation:
    return Incarnation(world.gateway.id, PLATFORM_ID, create_id(), 1, 0, NOW)


async def test_newest_stands_in_place_of_what_was(storage: Database) -> None:
    world = await plant_world(storage)
    first = create_incarnation(world)
    later = replace(
        first, incarnation=create_id(), sequence=2**62, default_share_ppm=9, heard_at=NOW + timedelta(seconds=1)
    )
    for newest in (first, later):
        async with storage.write() as transaction:
            await transaction.incarnations.put(newest)
        async with storage.write() as transaction:
            assert await transaction.incarnations.lock(world.gateway.id) == newest
            assert await transaction.incarnations.lock(world.left.agent.id) is None
            assert await transaction.incarnations.list_all(EVERYTHING) == [newest]
            for scope in (OrganizationScope(create_id()), ProviderScope(create_id())):  # type: ignore[arg-type]  # any id
                assert await transaction.incarnations.list_all(scope) == []


async def test_words_of_one_gateway_come_one_after_the_other(storage: Database) -> None:
    world = await plant_world(storage)
    first = create_incarnation(world)
    async with storage.write() as transaction:
        await transaction.incarnations.put(first)

    async def speak() -> None:
        async with storage.write() as transaction:
            last = await transaction.incarnations.lock(world.gateway.id)
            assert last is not None
            await transaction.incarnations.put(replace(last, sequence=last.sequence + 1))

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(speak())
    async with storage.read() as view:
        assert await view.incarnations.list_all(EVERYTHING) == [replace(first, sequence=9)]


async def test_only_a_machine_has_incarnations(storage: Database) -> None:
    world = await plant_world(storage)
    with pytest.raises(StateConflict):
        async with storage.write() as transaction:
            await transaction.incarnations.put(replace(create_incarnation(world), gateway_id=MachineId(create_id())))


async def test_view_locks_nothing(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.read() as view:
        with pytest.raises(InvariantBroken):
            await view.incarnations.lock(world.gateway.id)
