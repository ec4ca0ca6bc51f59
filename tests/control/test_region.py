"""Regions of a tree over real links and disks: shown once, with where they are from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.domain.capacity import CapacityKind
from keisan.domain.letter import LetterKind
from keisan.domain.roll_up import CountName
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.wire.region import read_rollup
from tests.control.region_world import (
    EVERYTHING,
    RegionWorld,
    count,
    draw,
    found_three,
    read_devices,
)
from tests.control.town import Country


@pytest.fixture
async def world(tmp_path: Path, migrated_file: Path) -> AsyncIterator[RegionWorld]:
    country = Country(tmp_path, migrated_file)
    yield RegionWorld(country)
    await country.end()


async def test_regions_of_all_levels_are_shown_once_with_where_they_are_from(world: RegionWorld) -> None:
    nation, shanxi, taiyuan = await found_three(world)
    await world.step_until(lambda: count(nation, "CN-SX", CountName.OK) == 6, "the nation sees six devices")
    found = nation.read()["CN-SX"]
    told = {source.platform_name: (source.device_count, source.is_heard, source.verdict) for source in found.sources}
    assert told == {"sx": (2, True, Verdict.OK), "sx.ty": (4, True, Verdict.OK)}
    assert found.sums[SampleName.POWER_MILLIWATTS].total == 6000
    assert count(nation, "CN-BJ") == 1
    assert nation.read()["CN-BJ"].sources == ()
    # The province's own roll-up has nothing of its child's in it, and shows both to its own people.
    assert count(shanxi, "CN-SX") == 6
    world.clock.ahead_s += 6
    await world.step()
    async with shanxi.town.storage.read() as view:
        told_rollups = await view.registers.list_kind(EVERYTHING, LetterKind.ROLL_UP)
    [own] = [letter for letter in told_rollups if letter.author == shanxi.town.id]
    assert read_rollup(own).counts[CountName.DEVICES] == 2
    assert list(taiyuan.read()["CN-SX"].sources) == []
    drawn = await draw(nation)
    assert read_devices(drawn, CapacityKind.CONNECTED) == 7
    assert read_devices(drawn, CapacityKind.CONNECTED, "CN-SX") == 6
    assert read_devices(drawn, CapacityKind.SCHEDULABLE, "CN-SX") == 6
