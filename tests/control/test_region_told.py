"""What a platform tells upwards: sums, what changed, and no word of a device."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.domain.letter import LetterKind
from tests.control.region_world import (
    CITY_DEVICE,
    RegionWorld,
    count,
    found_three,
    read_bodies,
)
from tests.control.town import Country
from tests.factories import FixedClock


@pytest.fixture
async def world(tmp_path: Path, migrated_file: Path) -> AsyncIterator[RegionWorld]:
    country = Country(tmp_path, migrated_file)
    yield RegionWorld(country)
    await country.end()


async def test_no_word_of_a_device_leaves(world: RegionWorld) -> None:
    nation, shanxi, taiyuan = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX") == 6, "the nation sees six devices")
    bodies = await read_bodies(nation, taiyuan)
    assert {kind for kind, _ in bodies} == {LetterKind.ROLL_UP, LetterKind.INVENTORY, LetterKind.SCENARIO}
    everything = b"".join(bodies.values())
    for word in (CITY_DEVICE.encode(), b"node-0", b"A Device", b"organization "):
        assert word not in everything
    assert (await read_bodies(taiyuan, shanxi)) == {}


async def test_only_what_changed_is_told_and_a_sign_of_life_now_and_then(world: RegionWorld) -> None:
    world.clock.inner = FixedClock()
    _, shanxi, _ = await found_three(world)
    telling = shanxi.regions.telling
    assert await telling.tell(is_parent_there=True) == 5
    assert await telling.tell(is_parent_there=True) == 0
    world.clock.ahead_s += 2
    shanxi.watch.fleet.roll_up(shanxi.watch.read_moment())
    assert await telling.tell(is_parent_there=True) == 0
    world.clock.ahead_s += 4
    shanxi.watch.fleet.roll_up(shanxi.watch.read_moment())
    assert await telling.tell(is_parent_there=True) == 1
    world.clock.ahead_s += 10
    shanxi.watch.fleet.roll_up(shanxi.watch.read_moment())
    assert await telling.tell(is_parent_there=True) == 1
